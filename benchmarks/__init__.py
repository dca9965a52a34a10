"""Benchmarks against other tuners; never imported by the package."""
