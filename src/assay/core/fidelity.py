"""How far a trial may be evaluated: in epochs, rows of a subset, folds, or whatever a user names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from assay.core.errors import SpaceError, did_you_mean

Kind: TypeAlias = Literal["epochs", "subset", "folds"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Fidelity:
    """A resource of which a trial may get less, so that bad trials are told early.

    Args:
        name: what it is, for the objective and for reasons in words: "epochs", "trees", "rows".
        least: the smallest amount whose value says something, a whole number >= 1.
        most: the full amount. Only trials that got it can be selected.
        kind: "epochs": an evaluation reports as it goes, and can go on from a checkpoint. "subset":
            it reports once, at its end, and more means anew. "folds": a step is one fold, its report
            that fold's own value, and what counts at a step is the mean up to there; more means the
            next folds.

    Raises:
        SpaceError: no name, amounts that are no whole numbers with 1 <= least < most, or an unknown
            kind.

    >>> Fidelity("epochs", 1, 81).rungs(3)
    (1, 3, 9, 27, 81)
    """

    name: str
    least: int
    most: int
    kind: Kind = "epochs"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise SpaceError(
                f"A fidelity needs a name, got {self.name!r}. Write Fidelity('epochs', 1, 81)."
            )
        for word in ("least", "most"):
            amount = getattr(self, word)
            if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
                raise SpaceError(
                    f"Fidelity {self.name!r} needs a whole number >= 1 as {word}, got {amount!r}. "
                    "Count shares in percent."
                )
        if self.least >= self.most:
            raise SpaceError(
                f"Fidelity {self.name!r} needs least < most, got least={self.least}, "
                f"most={self.most}. Swap them, or leave the fidelity out."
            )
        if self.kind not in KINDS:
            raise SpaceError(
                f"Fidelity {self.name!r} has no kind {self.kind!r}. "
                f"{did_you_mean(str(self.kind), KINDS)}"
            )
        if self.kind == "folds" and self.least != 1:
            raise SpaceError(
                f"Fidelity {self.name!r} counts folds, so its least is 1, got {self.least}."
            )

    @property
    def goes_on(self) -> bool:
        """Whether a trial that gets more keeps what it has."""
        return self.kind != "subset"

    def cost(self, done: int, until: int) -> int:
        """What it takes to bring a trial from step `done` to step `until`, in steps.

        >>> Fidelity("epochs", 1, 81).cost(9, 27), Fidelity("rows", 1, 81, "subset").cost(9, 27)
        (18, 27)
        """
        return until - done if self.goes_on else until

    def rungs(self, eta: int) -> tuple[int, ...]:
        """Steps from least to most, each about `eta` times the one before, evenly by logarithm.

        Raises:
            SpaceError: `eta` is not a whole number >= 2.

        >>> Fidelity("epochs", 1, 100).rungs(3), Fidelity("folds", 1, 5, "folds").rungs(2)
        ((1, 3, 10, 32, 100), (1, 2, 5))
        """
        if isinstance(eta, bool) or not isinstance(eta, int) or eta < 2:
            raise SpaceError(f"eta needs a whole number >= 2, got {eta!r}.")
        ratio = self.most / self.least
        gaps = max(round(math.log(ratio, eta)), 1)
        steps = {round(self.least * ratio ** (k / gaps)) for k in range(gaps + 1)}
        return tuple(sorted(steps))

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back."""
        return asdict(self)

    @staticmethod
    def from_json(form: Any) -> Fidelity:
        """The fidelity that `to_json` wrote.

        Raises:
            SpaceError: not such a form.
        """
        known = {f.name for f in fields(Fidelity)}
        if not isinstance(form, Mapping) or not {"name", "least", "most"} <= form.keys():
            raise SpaceError(
                f"A fidelity needs an object with 'name', 'least' and 'most', got {form!r:.120}."
            )
        if unknown := form.keys() - known:
            word = sorted(unknown)[0]
            raise SpaceError(f"A fidelity has no entry {word!r}. {did_you_mean(word, known)}")
        return Fidelity(**form)
