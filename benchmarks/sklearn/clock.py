"""What a search does, seen from its scorer: every fit that was scored, and the CPU time at that moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from math import isfinite

from sklearn.metrics import get_scorer

from benchmarks.sklearn.tasks import FOLDS


@dataclass
class Clock:
    """A scorer that writes down when it was called; the time of the search's own thinking is in it."""

    scoring: str
    began: float = field(default_factory=time.process_time)
    calls: list[tuple[float, dict, float]] = field(default_factory=list)

    def __call__(self, model, X, y):
        score = get_scorer(self.scoring)(model, X, y)
        self.calls.append((self.cpu_s, model.get_params(), score))
        return score

    @property
    def cpu_s(self):
        return time.process_time() - self.began

    def candidates(self):
        """(CPU seconds at its last fold, params, mean score) of each candidate, in order."""
        for i in range(0, len(self.calls) - FOLDS + 1, FOLDS):
            folds = self.calls[i : i + FOLDS]
            yield folds[-1][0], folds[-1][1], sum(score for _, _, score in folds) / FOLDS

    def matched(self, results):
        """The same for a search that also fits other things in between: its `cv_results_` say which.

        A candidate of which a fit failed was not scored on each fold, and is passed over.
        """
        at = 0
        for params, score in zip(results["params"], results["mean_test_score"], strict=True):
            if not isfinite(score):
                continue
            while not all(_is_of(call[1], params) for call in self.calls[at : at + FOLDS]):
                at += 1
            at += FOLDS
            yield self.calls[at - 1][0], params, score


def _is_of(own, params):
    return all(name in own and own[name] == value for name, value in params.items())


def course(found):
    """The candidates that were better than all before them."""
    best = None
    for cpu_s, params, score in found:
        if isfinite(score) and (best is None or score > best):
            best = score
            yield cpu_s, params, score


@cache
def _sealed(task, seed, params):
    X, sealed, y, answers = task.rows(seed)
    model = task.model().set_params(**dict(params)).fit(X, y)
    return float(get_scorer(task.scoring)(model, sealed, answers))


def sealed(task, seed, params):
    """The score on the seed's sealed rows of the model fitted on all others; no search sees it."""
    names = {**task.space, **task.grid}
    return _sealed(task, seed, tuple(sorted((n, v) for n, v in params.items() if n in names)))
