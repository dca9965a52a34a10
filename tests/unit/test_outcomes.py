"""What is made of columns, for long studies, is what a look at every trial gives."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import born, history_of, measured, spec_of
from tests.unit.test_history import LOGS

from assay import Float, Space, Study
from assay.analysis.effects import Effects, effects
from assay.analysis.selection import best_by_value, ranked
from assay.analysis.spending import entries
from assay.core.events import CONTROL, FLOOR, Asked, Failed, Told
from assay.core.history import fold
from assay.report.trials import trial_table

VALUES = st.lists(st.none() | st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0]), max_size=12)
PLANS = st.sampled_from(["minimize", "maximize"])


def history_with(spec, values):
    """Trials that end with these values, the last first; None fails. `size` is 5 less than it."""
    events = [Asked(n, {"x": n / 20}, 1) for n in range(len(values))]
    for number, value in reversed(list(enumerate(values))):
        told = value is not None
        events.append(
            Told(number, (value,), {"size": value - 5}) if told else Failed(number, "raised", "no")
        )
    return fold([*born(spec), *events])


@given(values=VALUES, direction=PLANS, bound=st.sampled_from([(), ("size <= -4.6",)]))
def test_the_ranking_is_by_value_then_by_number(values, direction, bound):
    spec = spec_of(directions={"value": direction}, constraints=bound)
    history = history_with(spec, values)
    sign = spec.signs[0]
    meets = [n for n, v in enumerate(values) if v is not None and (not bound or v - 5 <= -4.6)]
    assert ranked(spec, history) == sorted(meets, key=lambda n: (sign * values[n], n))
    assert best_by_value(spec, history) == (ranked(spec, history) or [None])[0]


@given(log=LOGS)
def test_what_was_spent_together_is_what_each_trial_spent(log):
    history = fold(log)
    found, wanted = Counter(), Counter()
    for stage, evaluations, cpu_s, wall_s in entries(history):
        found.update({(stage, "n"): evaluations, (stage, "cpu"): cpu_s, (stage, "wall"): wall_s})
    for number in range(FLOOR, history.n_trials):
        control = number == CONTROL and history.origin(number) == "control"
        parts = [e for s in ("probe", "test") for e in history.units(number, s).values()]
        parts = [*history.units(number).values(), *parts]
        for event in parts:
            stage = {"floor": "control", "probe": "control"}.get(event.stage, event.stage)
            stage = "control" if stage == "search" and control else stage
            wanted.update(
                {(stage, "n"): 1, (stage, "cpu"): event.cpu_s, (stage, "wall"): event.wall_s}
            )
        if end := history.outcome(number) if number >= 0 else None:
            own = [e for e in parts if e.stage == "search"]
            stage = "control" if control else "search"
            wanted[stage, "n"] += not own
            wanted[stage, "cpu"] += max(end.cpu_s - sum(e.cpu_s for e in own), 0)
            wanted[stage, "wall"] += max(end.wall_s - sum(e.wall_s for e in own), 0)
    for broken in history.breakages():
        stage = {"floor": "control", "probe": "control"}.get(broken.stage, broken.stage)
        wanted.update(
            {
                (stage, "n"): len(broken.units),
                (stage, "cpu"): broken.cpu_s,
                (stage, "wall"): broken.wall_s,
            }
        )
    assert found == pytest.approx({**dict.fromkeys(found, 0), **wanted})


def test_effects_found_when_they_are_looked_at_are_the_same():
    spec = spec_of()
    units = measured(0, "control", {(0, 0, s): 1.0 + s / 10 for s in range(3)})
    history = history_of(spec, [1.0, 0.5, None, 2.0], *units)
    lazily = Effects(spec, history)
    assert dict(lazily) == {e.trial: e for e in effects(spec, history)}
    assert (len(lazily), lazily.get(2), 99 in lazily) == (3, None, False)


def test_a_table_looks_at_no_more_trials_than_it_shows(monkeypatch):
    study = Study(Space(x=Float(0, 1, default=0.5)), sampler="random")
    for _ in range(50):
        trial = study.ask()
        study.tell(trial, trial.config["x"])
    looked = []
    found = Effects._found
    monkeypatch.setattr(
        Effects, "_found", lambda self, number: looked.append(number) or found(self, number)
    )
    table = trial_table(study.spec, study.history)
    newest = [table.rows[n].number for n in table.numbers(2, by_number=True)]
    best = [table.rows[n].number for n in table.numbers(3)]
    assert newest == [48, 49]
    assert best == ranked(study.spec, study.history)[:3]
    assert looked == [*newest, *best]
