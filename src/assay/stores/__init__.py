"""Where logs are kept: in memory, in an SQLite file. Import the store that you need."""
