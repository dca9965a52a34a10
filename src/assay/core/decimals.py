"""Numbers with a fixed number of decimals, the same in the sentences of a verdict and in tables."""

from __future__ import annotations


def fixed(x: float, places: int, *, sign: bool = False) -> str:
    """A number with a fixed number of decimals; what rounds to nothing has no sign, in tables and sentences.

    >>> fixed(-0.01, 3), fixed(0.5, 2, sign=True), fixed(-0.0049, 2, sign=True)
    ('−0.010', '+0.50', '0.00')
    """
    rounded = round(x, places) or 0.0  # no negative zero
    return f"{rounded:{'+' if sign and rounded else ''},.{places}f}".replace("-", "−")
