"""Schedulers: each decides which trials get more of a fidelity, from how all of them stand. Pure."""
