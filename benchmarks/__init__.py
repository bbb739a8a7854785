"""Each module measures a named baseline in the same run; `./eco bench NAME` runs it."""
