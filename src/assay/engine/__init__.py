"""Drives a study: reads the log, decides, appends."""
