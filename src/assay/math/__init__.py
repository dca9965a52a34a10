"""Arrays in, arrays out. Pure: no files, no clock, no hidden randomness."""
