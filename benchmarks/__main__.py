"""Run every benchmark that takes minutes, not days."""

from benchmarks.core.__main__ import main

main()
