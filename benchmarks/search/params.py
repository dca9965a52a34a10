"""Search spaces as the problems state them, in terms that every tuner can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Param:
    """A parameter; it is there only if each (parent, values) of `when` holds."""

    name: str
    kind: str  # "float", "int" or "cat"
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple = ()
    when: tuple = ()

    def sample(self, rng):
        if self.kind == "cat":
            return self.choices[rng.integers(len(self.choices))]
        return self.from_unit(rng.random())

    def from_unit(self, u):
        wide = 0.5 if self.kind == "int" and not self.log else 0.0
        low, high = self.low - wide, self.high + wide
        if self.log:
            value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
        else:
            value = low + u * (high - low)
        return self.settled(value)

    def to_unit(self, value):
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def settled(self, value):
        """A number as near as the range allows, whole where it must be."""
        value = min(max(round(value) if self.kind == "int" else value, self.low), self.high)
        return int(value) if self.kind == "int" else float(value)


def active(param, config):
    return all(parent in config and config[parent] in values for parent, values in param.when)


def pruned(space, config):
    """The config without inactive parameters; parents come before children in a space."""
    found = {}
    for param in space:
        if active(param, found):
            found[param.name] = config[param.name]
    return found


def sample(space, rng):
    found = {}
    for param in space:
        if active(param, found):
            found[param.name] = param.sample(rng)
    return found


def parents_first(params):
    done, waiting = [], list(params)
    while waiting:
        names = {p.name for p in done}
        ready = [p for p in waiting if all(parent in names for parent, _ in p.when)]
        if not ready:
            raise ValueError(f"Conditions in a circle, or without a parent: {waiting}")
        done += ready
        waiting = [p for p in waiting if p not in ready]
    return done
