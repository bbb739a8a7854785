"""Machine-readable zones of travel documents after ICAO Doc 9303: found among lines, repaired, proved, compared."""
