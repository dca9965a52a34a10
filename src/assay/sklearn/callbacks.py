"""scikit-learn's callbacks around a search; older versions than 1.9 have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Callbacks:
    """Tells the callbacks of a search what begins and ends.

    Args:
        search: the search, whose callbacks `set_callbacks` has set.
        X, y, params: what it is fitted with.
    """

    def __init__(self, search: Any, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        weight = params.get("sample_weight")
        self._search = search
        self._data = {
            "X": X,
            "y": y,
            "metadata": None if weight is None else {"sample_weight": weight},
        }
        begin = getattr(search, "_init_callback_context", None)
        self._root = begin(max_subtasks=1 + (search.refit is not False)) if begin else None
        if self._root is not None:
            self._root.call_on_fit_task_begin(estimator=search, **self._data)

    @contextmanager
    def searching(self) -> Iterator[Callable[[int], Any]]:
        """Around the search: gives the context of fit number n."""
        if self._root is None:
            yield lambda _: None
            return
        search = self._root.subcontext(
            task_name="search",
            max_subtasks=self._search.n_trials * self._search.n_splits_,
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=self._search)
        yield lambda n: search.subcontext(task_name="candidate-split-evaluation", task_id=n)
        search.call_on_fit_task_end(estimator=self._search)

    @contextmanager
    def refitting(self, estimator: Any) -> Iterator[None]:
        """Around the last fit."""
        if self._root is None:
            yield
            return
        refit = self._root.subcontext(task_name="refit-with-best-params")
        with refit.propagate_callback_context(estimator):
            refit.call_on_fit_task_begin(estimator=self._search, **self._data)
            yield
            refit.call_on_fit_task_end(estimator=self._search, **self._data)

    def end(self) -> None:
        """The search is fitted."""
        if self._root is not None:
            self._root.call_on_fit_task_end(estimator=self._search, **self._data)
