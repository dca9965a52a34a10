"""What every scheduler promises, as tests; subclass `SchedulerContract` to check your own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.core.fidelity import Fidelity
from assay.core.protocols import Scheduler
from assay.core.runs import Go, Pause, Resume, Run, Stop
from assay.testing.trainings import Curve, Trainings

_settings = settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
SEEDS = st.integers(0, 2**32)
WORKERS = st.integers(1, 9)


def noisy(seed: int, most: int, *, failing: float = 0.0, sign: float = 1.0) -> Curve:
    """Curves that fall towards levels of their own, with noise; a share of the trials fails somewhere."""
    rng = np.random.default_rng(seed)
    level, height, rate, broken = rng.random((4, 1000))
    noise = rng.normal(0.0, 0.1, (1000, most + 1))
    fails_at = np.where(broken < failing, rng.integers(1, most + 1, 1000), most + 1)

    def curve(trial: int, step: int) -> float | None:
        if step >= fails_at[trial]:
            return None
        loss = level[trial] + height[trial] * np.exp(-3 * rate[trial] * step) + noise[trial, step]
        return sign * float(loss)

    return curve


class SchedulerContract:
    """The promises of a scheduler; a subclass says how to make one.

        class TestMine(SchedulerContract):
            def make(self, sign):
                return MyScheduler(self.fidelity, sign)

    Attributes:
        fidelity: of the trials of the tests.
        trials: enough that one gets the full fidelity.
        looks_ahead: whether a verdict may follow from what other trials had at later steps than the
            judged one has reached, as where the best complete trial is the measure.
    """

    fidelity: ClassVar[Fidelity] = Fidelity("epochs", 1, 27)
    trials: ClassVar[int] = 27
    looks_ahead: ClassVar[bool] = False

    def make(self, sign: float) -> Scheduler:
        """A scheduler for values to minimise (1) or to maximise (-1)."""
        raise NotImplementedError

    def trained(self, curve: Curve, *, sign: float = 1.0, **options: Any) -> Trainings:
        """A search to its end."""
        given = {"trials": self.trials, **options}
        return Trainings(self.make(sign), self.fidelity, self.told(curve), **given).run()

    def told(self, curve: Curve) -> Curve:
        """What trials report, made of one value at each step; for several objectives, several."""
        return curve

    def noise(self, seed: int, *, failing: float = 0.0, sign: float = 1.0) -> Curve:
        """Noisy curves for this fidelity."""
        return noisy(seed, self.fidelity.most, failing=failing, sign=sign)

    # --- a search

    @given(seed=SEEDS, workers=WORKERS)
    @_settings
    def test_a_search_ends_and_every_cut_has_its_reason(self, seed: int, workers: int) -> None:
        search = self.trained(self.noise(seed, failing=0.2), workers=workers)
        assert len(search.runs) == self.trials
        assert not search.of("running"), "everything that was started came to an end"
        assert set(search.of("done")) == set(search.full), "done means in full"
        reasons = [s.verdict.reason for s in search.said if not isinstance(s.verdict, Go)]
        for reason in [*reasons, *(more.reason for more in search.resumed)]:
            assert self.fidelity.name in reason
            assert any(letter.isdigit() for letter in reason)

    def test_a_new_trial_starts_with_some_of_the_fidelity(self) -> None:
        starts = {run.until for run in self.trained(self.noise(1)).runs} - {self.fidelity.most}
        assert all(self.fidelity.least <= until < self.fidelity.most for until in starts)

    def test_the_only_trial_is_never_stopped(self) -> None:
        search = self.trained(self.noise(2), trials=1)
        assert not search.of("stopped")

    def test_of_equal_trials_one_gets_everything(self) -> None:
        assert self.trained(lambda _trial, _step: 0.5).full

    @pytest.mark.parametrize("best", [0, 4, 10])
    @pytest.mark.parametrize("workers", [1, 4])
    def test_who_is_best_at_every_step_gets_everything(self, best: int, workers: int) -> None:
        def curve(trial: int, step: int) -> float:
            return -1.0 / step if trial == best else trial + 1.0 / step

        assert best in self.trained(curve, workers=workers).full

    @given(seed=SEEDS, number=st.integers(0, 20))
    @_settings
    def test_the_control_gets_everything(self, seed: int, number: int) -> None:
        curve = self.noise(seed)

        def worst(trial: int, step: int) -> float | None:
            return 99.0 if trial == number else curve(trial, step)

        search = self.trained(worst, workers=3, protected={number})
        assert number in search.full
        assert all(isinstance(s.verdict, Go) for s in search.said if s.trial == number)

    # --- purity

    @given(seed=SEEDS, workers=WORKERS)
    @_settings
    def test_equal_runs_give_equal_verdicts(self, seed: int, workers: int) -> None:
        search = self.trained(self.noise(seed, failing=0.1), workers=workers)
        other = self.make(1.0)
        for runs, trial, verdict in reversed(search.said[-100:]):
            assert other.judge(runs, trial) == verdict
            assert other.judge(list(runs), trial) == verdict

    @given(seed=SEEDS, workers=WORKERS)
    @_settings
    def test_what_is_kept_between_calls_changes_no_answer(self, seed: int, workers: int) -> None:
        search = self.trained(self.noise(seed, failing=0.1), workers=workers)
        kept = self.make(1.0)
        for runs, trial, verdict in search.said[::3]:
            fresh = self.make(1.0)
            assert kept.start(runs) == fresh.start(runs)
            assert kept.resume(runs) == fresh.resume(runs)
            assert kept.judge(runs, trial) == fresh.judge(runs, trial) == verdict
            for coming in (None, 5):
                over = [s.over(runs, coming) for s in (kept, fresh) if hasattr(s, "over")]
                assert over[:1] == over[1:]

    def test_a_study_told_twice_is_the_same(self) -> None:
        first, again = (self.trained(self.noise(3, failing=0.1), workers=4) for _ in range(2))
        assert first.runs == again.runs
        assert first.resumed == again.resumed
        assert first.said == again.said

    def test_one_scheduler_serves_several_studies(self) -> None:
        scheduler = self.make(1.0)
        alone = self.trained(self.noise(5)).runs
        for seed in (4, 5):
            curve = self.noise(seed)
            runs = Trainings(scheduler, self.fidelity, self.told(curve), self.trials).run().runs
        assert runs == alone

    # --- fairness

    @given(seed=SEEDS)
    @_settings
    def test_maximising_is_minimising_the_opposite(self, seed: int) -> None:
        low = self.trained(self.noise(seed), workers=3)
        high = self.trained(self.noise(seed, sign=-1.0), sign=-1.0, workers=3)
        assert [run.state for run in low.runs] == [run.state for run in high.runs]
        assert [(r.trial, r.until) for r in low.resumed] == [
            (r.trial, r.until) for r in high.resumed
        ]

    @given(seed=SEEDS)
    @_settings
    def test_units_do_not_matter(self, seed: int) -> None:
        curve = self.noise(seed)
        plain = self.trained(curve, workers=3)
        other = self.trained(lambda trial, step: curve(trial, step) * 1024, workers=3)
        assert [run.state for run in plain.runs] == [run.state for run in other.runs]

    @given(seed=SEEDS)
    @_settings
    def test_only_values_at_the_same_fidelity_are_compared(self, seed: int) -> None:
        if self.looks_ahead:
            return
        search = self.trained(self.noise(seed), workers=3)
        for runs, trial, verdict in search.said[-100:]:
            changed = _changed_after(runs, trial)
            assert _kind(self.make(1.0).judge(changed, trial)) == _kind(verdict)

    @given(seed=SEEDS, workers=WORKERS)
    @_settings
    def test_who_failed_or_was_stopped_gets_nothing_more(self, seed: int, workers: int) -> None:
        search = self.trained(self.noise(seed, failing=0.5), workers=workers)
        over = set(search.of("failed")) | set(search.of("stopped")) | set(search.of("done"))
        more = self.make(1.0).resume(search.runs)
        assert more is None or more.trial not in over

    @given(seed=SEEDS, workers=WORKERS)
    @_settings
    def test_who_is_said_to_get_no_more_gets_no_more(self, seed: int, workers: int) -> None:
        over = getattr(self.make(1.0), "over", None)
        if over is None:
            return
        search = self.trained(self.noise(seed, failing=0.2), workers=workers)
        resumed = {(more.trial, more.until) for more in search.resumed}
        for runs, _, _ in search.said[::5]:
            for trial in over(runs, self.trials - len(runs)):
                assert runs[trial].state == "paused"
                later = {until for again, until in resumed if again == trial}
                assert all(until <= runs[trial].until for until in later)

    # --- settings

    def test_settings_are_values(self) -> None:
        scheduler = self.make(1.0)
        assert is_dataclass(scheduler), "a scheduler is a frozen dataclass of its settings"
        assert type(scheduler).__dataclass_params__.frozen
        assert scheduler == self.make(1.0)
        assert scheduler != self.make(-1.0)
        assert hash(scheduler) == hash(self.make(1.0))
        assert type(scheduler).__name__ in repr(scheduler)
        assert pickle.loads(pickle.dumps(scheduler)) == scheduler  # noqa: S301

    def test_settings_survive_json(self) -> None:
        scheduler: Any = self.make(1.0)
        given = {f.name: getattr(scheduler, f.name) for f in fields(scheduler)}
        told = {name: given.pop(name) for name in ("sign", "limits") if name in given}
        fidelity = Fidelity.from_json(json.loads(json.dumps(given.pop("fidelity").to_json())))
        assert type(scheduler)(fidelity, **told, **json.loads(json.dumps(given))) == scheduler


def _kind(verdict: Go | Pause | Stop | Resume) -> str:
    return type(verdict).__name__


def _changed_after(runs: Sequence[Run], trial: int) -> list[Run]:
    """The same runs, but whatever others had after the step of the judged one is upside down."""
    step = runs[trial].step
    return [
        run
        if run.trial == trial
        else replace(run, curve=tuple((s, v if s <= step else -9 * v) for s, v in run.curve))
        for run in runs
    ]
