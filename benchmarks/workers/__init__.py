"""Many worker processes on one study: CPU time a trial, efficiency, time to the first trial."""
