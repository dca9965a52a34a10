"""Samplers: each proposes the next config from (space, history, rng). Pure."""
