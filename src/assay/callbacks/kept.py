"""Anything that can be pickled is kept with its trial: a JAX state, a scikit-learn model."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from assay.callbacks.reports import kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

T = TypeVar("T")

_FILE = "state.pkl"


class Kept(Generic[T]):
    """What a trial trains. See `assay.callbacks.kept`.

    Attributes:
        value: what is trained now; set it to what a step made of it.
    """

    def __init__(self, trial: OpenTrial, fresh: Callable[[], T]) -> None:
        self._trial = trial
        file = left_file(trial, _FILE)
        # the trial's own directory, whose content is checked against its hash before it is used
        self.value: T = pickle.loads(Path(file).read_bytes()) if file else fresh()  # noqa: S301

    @property
    def steps(self) -> Iterator[int]:
        """The steps to go; after the last of them the value is kept."""
        yield from self._trial.steps
        if (file := kept_file(self._trial, _FILE)) is not None:
            file.write_bytes(pickle.dumps(self.value))
