"""Files of the archive that were damaged are made again from the log, as long as it holds their events."""
