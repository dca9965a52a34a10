"""Jobs of a study as fits of a scikit-learn search: submitted one by one, run together when polled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.core.events import FLOOR
from assay.core.jobs import Broken, Done, Job, Measurement, Message
from assay.core.units import SHADOW
from assay.sklearn.bench import Bench, Fit, Work, failure, not_run, score
from assay.sklearn.candidates import Params

Progress = Callable[[int], Any]
Listener = Callable[[int, Message], None]


class Fits:
    """Runs the jobs of one study; keeps what scikit-learn says of each candidate of the search.

    Args:
        bench: where candidates are fitted.
        metric: the name of the score that the study follows.
        params: the estimator's parameters for a config of the study.
        batch: how many candidates are fitted together.
        progress: the callbacks' context of the fit with this number.

    Attributes:
        candidates: the parameters of each candidate of the search, in order.
        results: the fits of each, split by split, all in one list; those that were not run, too.
        place: the candidate of each trial.
    """

    def __init__(
        self,
        bench: Bench,
        metric: str | None,
        params: Callable[[Mapping[str, Any]], Params],
        *,
        batch: int = 1,
        progress: Progress | None = None,
    ) -> None:
        self._bench, self._params, self._batch = bench, params, batch
        self._progress = progress or (lambda _: None)
        self.metric = metric
        self.candidates: list[Params] = []
        self.results: list[Fit] = []
        self.place: dict[int, int] = {}
        self._known: dict[int, list[Fit]] = {}
        self._waiting: list[Job] = []
        self._listener: Listener | None = None
        self._cut: set[int] = set()

    def measure_first(self, params: Params) -> list[Fit]:
        """Fit the first candidate before there is a study; its trial 0 is this."""
        work = [self._work(0, params, split) for split in enumerate(self._bench.splits(0))]
        fits = self._bench.run(work)
        self._keep(0, params, fits)
        self._known[0] = fits
        return fits

    def floor(self) -> float | None:
        """The score on one split of the model that looks at no feature; None where there is none."""
        dummy = self._bench.dummies(self.metric or "")
        if dummy is None:
            return None
        try:
            fits = self._bench.run([Work({}, self._bench.splits(0)[0])], dummy)
        except Exception:
            return None  # a score that cannot judge such a model
        assert self.metric is not None
        return score(fits[0], self.metric)

    @property
    def free(self) -> int:
        return self._batch - len(self._waiting)

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def listen(self, listener: Listener) -> None:
        """Fit candidates split by split, and tell of each, so that they can be cancelled in between."""
        self._listener = listener

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Run what was submitted to its end, however long it takes."""
        jobs, self._waiting = self._waiting, []
        self._cut.clear()
        fits = self._fitted(jobs)
        return [(job.id, message) for job in jobs for message in self._said(job, fits[job.id])]

    def cancel(self, job_id: int) -> None:
        """Drop a job that does not run yet, or fit one that runs on no further split."""
        self._waiting = [job for job in self._waiting if job.id != job_id]
        self._cut.add(job_id)

    def close(self) -> None:
        self._waiting = []

    def _fitted(self, jobs: list[Job]) -> dict[int, list[Fit] | str]:
        found: dict[int, list[Fit] | str] = {}
        known = {job.id: again for job in jobs if (again := self._again(job)) is not None}
        fresh = [job for job in jobs if job.trial != FLOOR and job.id not in known]
        searched = [job.id for job in fresh if job.stage == "search"]
        places = {number: len(self.candidates) + i for i, number in enumerate(searched)}
        ran = self._run(fresh, places)
        for job in jobs:
            if job.trial == FLOOR:
                found[job.id] = self._floor(job)
            elif job in fresh:
                found[job.id] = ran[job.id]
                if job.stage == "search":
                    self._keep(job.trial, self._params(job.config), ran[job.id])
            else:
                found[job.id] = known[job.id]
        return found

    def _run(self, jobs: Sequence[Job], places: Mapping[int, int]) -> dict[int, list[Fit]]:
        """The fits of each job: all at once, or side by side and split by split if somebody listens."""
        found: dict[int, list[Fit]] = {job.id: [] for job in jobs}
        step = 1 if self._listener else max((len(job.units) for job in jobs), default=1)
        for start in range(0, max((len(job.units) for job in jobs), default=0), step):
            going = [job for job in jobs if job.id not in self._cut]
            work = {
                job.id: self._works(job, places.get(job.id), range(start, start + step))
                for job in going
            }
            fits = iter(self._bench.run([one for works in work.values() for one in works]))
            for job in going:
                found[job.id] += [next(fits) for _ in work[job.id]]
            for job in going:
                self._tell(job, found[job.id])
        return found

    def _tell(self, job: Job, fits: list[Fit]) -> None:
        if self._listener and job.stage == "search":
            assert self.metric is not None
            if failure(fits, self.metric) is None:
                self._listener(job.id, self._measured(job, len(fits) - 1, fits[-1]))

    def _again(self, job: Job) -> list[Fit] | None:
        """What is known of a trial of the search before it is run."""
        return self._known.get(job.trial) if job.stage == "search" else None

    def _floor(self, job: Job) -> list[Fit] | str:
        """The model that looks at no feature; a failure of it is no failure of the search."""
        dummy = self._bench.dummies(self.metric or "")
        if dummy is None:
            return "there is no model without features for this task"
        try:
            return self._bench.run(
                [Work({}, self._split(job, i)) for i in range(len(job.units))], dummy
            )
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _works(self, job: Job, place: int | None, which: range) -> list[Work]:
        params = self._params(job.config)
        works = []
        for i in range(len(job.units))[which.start : which.stop]:
            unit, seed, split = job.units[i], job.seeds[i], self._split(job, i)
            if place is not None:
                works.append(self._work(place, params, (unit[1], split)))
            else:
                works.append(Work(params, split, seed if unit[2] else None))
        return works

    def _work(self, candidate: int, params: Params, split: tuple[int, Any]) -> Work:
        number = candidate * self._bench.n_splits + split[0]
        return Work(params, split[1], progress=self._progress(number), place=(candidate, split[0]))

    def _split(self, job: Job, i: int) -> Any:
        if job.stage == SHADOW:
            return self._bench.shadow
        repeat, fold, _ = job.units[i]
        return self._bench.splits(repeat)[fold]

    def _keep(self, trial: int, params: Params, fits: list[Fit]) -> None:
        self.place[trial] = len(self.candidates)
        self.candidates.append(params)
        self.results += fits
        self.results += [not_run(fits[0])] * (self._bench.n_splits - len(fits))

    def _said(self, job: Job, fits: list[Fit] | str) -> list[Message]:
        if isinstance(fits, str):
            return [Broken(kind="raised", reason=fits)]
        if job.id in self._cut:
            return [Broken(kind="cancelled", reason="It was ended on the way through its splits.")]
        assert self.metric is not None
        cpu = sum(fit["cpu_time"] for fit in fits)
        wall = sum(fit["fit_time"] + fit["score_time"] for fit in fits)
        if (reason := failure(fits, self.metric)) is not None:
            return [Broken(kind="raised", reason=reason, cpu_s=cpu, wall_s=wall)]
        measured: list[Message] = [self._measured(job, i, fit) for i, fit in enumerate(fits)]
        values = [score(fit, self.metric) for fit in fits]
        return [
            *measured,
            Done(values={"value": sum(values) / len(values)}, cpu_s=cpu, wall_s=wall),
        ]

    def _measured(self, job: Job, i: int, fit: Fit) -> Measurement:
        assert self.metric is not None
        return Measurement(
            unit=job.units[i],
            value=score(fit, self.metric),
            train=score(fit, self.metric, "train_scores") if "train_scores" in fit else None,
            cpu_s=fit["cpu_time"],
            wall_s=fit["fit_time"] + fit["score_time"],
        )
