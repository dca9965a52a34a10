"""Run every benchmark."""

from benchmarks.core.__main__ import main

main()
