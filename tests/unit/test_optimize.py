"""optimize: any function, as a controlled experiment over seeds."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from assay import (
    Budget,
    Choice,
    Evidence,
    Float,
    Int,
    Limits,
    Space,
    SpaceError,
    SpecError,
    StateError,
    Verdict,
    open_study,
    optimize,
)
from assay.analysis.verdict import Action, Claim
from assay.api.reporting import view
from assay.core import units
from assay.core.events import Broke, Concluded, Failed, Measured, Reported, Selected, Told
from assay.core.history import fold
from assay.executors.inline import InlineExecutor
from assay.report.phase import standing
from assay.report.text import summary
from assay.stores.memory import MemoryStore

SPACE = Space(x=Float(0.0, 1.0, default=0.5))


def inline(objective, space=SPACE, budget=8, **options):
    return optimize(objective, space, budget=budget, isolation="none", progress=False, **options)


def processes(objective, space=SPACE, budget=4, **options):
    return optimize(objective, space, budget=budget, progress=False, **options)


def of(study, kind):
    return [event for event in study.store.read(study.name) if isinstance(event, kind)]


def noisy(slope, sigma=1.0):
    """An objective with noise that depends on the seed and the config."""

    def objective(trial):
        x = trial.config["x"]
        rng = np.random.default_rng([trial.seed, int(x * 2**40)])
        return slope * (x - 0.5) + sigma * rng.normal()

    return objective


# --- the verdict


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_deterministic_objective_is_repeated_for_the_probe_only_and_judged_exactly(direction):
    calls = []

    def objective(trial):
        calls.append(trial.config["x"])
        return trial.config["x"]

    study = inline(objective, budget=8, direction=direction)
    assert len(calls) == 8 + 2 + 2  # the control's probe and the challenger's
    best = (min if direction == "minimize" else max)(calls)
    assert study.best.value == best
    assert study.verdict.claim is Claim.BETTER
    assert study.verdict.gain.estimate == pytest.approx(abs(0.5 - best))
    assert study.verdict.gain.low == study.verdict.gain.high
    assert study.verify() == []


def test_defaults_that_are_the_best_are_kept():
    study = inline(lambda trial: abs(trial.config["x"] - 0.5))
    assert study.best.number == 0
    assert study.challenger.number != 0
    assert study.verdict.claim is Claim.WORSE
    assert study.verdict.action is Action.KEEP_DEFAULTS


def test_where_all_configs_are_equal_the_defaults_are_kept():
    """The claim alone errs in one of forty such studies; the guard and it together hardly ever."""
    claims = []
    for seed in range(20):
        study = inline(noisy(0.0), budget=12, seed=seed)
        claims.append(study.verdict.claim)
        assert study.verdict.action is Action.KEEP_DEFAULTS, seed
        assert study.best.number == 0
    assert claims.count(Claim.BETTER) <= 1


def test_where_the_defaults_are_best_better_is_never_claimed():
    def objective(trial):
        return float(trial.config["x"] != 0.5) + noisy(0.0)(trial)

    for seed in range(20):
        study = inline(objective, budget=10, seed=seed)
        assert study.verdict.claim is not Claim.BETTER, seed
        assert study.best.number == 0


def test_a_gain_larger_than_the_noise_is_shown():
    study = inline(noisy(10.0, sigma=0.3), budget=20, smallest_gain=0.5)
    assert study.verdict.claim is Claim.BETTER
    assert study.verdict.action is Action.USE_TUNED
    assert study.best.number == study.challenger.number
    assert study.best.config["x"] < 0.2


def test_the_gain_is_that_of_the_confirming_seeds_by_hand():
    objective = noisy(10.0, sigma=0.3)
    study = inline(objective, budget=10, evidence=Evidence(confirms=4))
    seeds = [units.seed_of(study.spec, unit) for unit in units.confirms(study.spec)]

    def value(number, seed):
        from assay.engine.trial import OpenTrial

        return objective(OpenTrial(number, study.trials[number].config, seed, lambda *_: None))

    chosen = study.challenger.number
    gains = [value(0, seed) - value(chosen, seed) for seed in seeds]
    assert study.verdict.gain.estimate == pytest.approx(np.mean(gains))
    assert study.verdict.gain.se == pytest.approx(np.std(gains, ddof=1) / 2)


def test_every_trial_of_the_search_has_the_same_seed_and_evidence_has_others():
    seen = []

    def objective(trial):
        seen.append((trial.number, trial.seed))
        return trial.config["x"] + 1e-3 * (trial.seed % 7)

    study = inline(objective, budget=5)
    firsts = {}
    for number, seed in seen:
        firsts.setdefault(number, seed)
    assert len(set(firsts.values())) == 1
    assert {seed for _, seed in seen} == {
        units.seed_of(study.spec, unit)
        for unit in (
            *units.search(study.spec),
            *units.probe(),
            *units.control(study.spec, fixed=False),
            *units.rechecks(study.spec),
            *units.confirms(study.spec),
        )
    }


def test_the_same_call_gives_the_same_study():
    one, two = (inline(noisy(1.0), seed=3) for _ in range(2))

    def told(study):
        return [(t.config, t.values) for t in study.trials]

    assert told(one) == told(two)
    assert str(one.verdict) == str(two.verdict)
    assert told(inline(noisy(1.0), seed=4)) != told(one)


def test_without_evidence_nothing_is_repeated_and_nothing_concluded():
    calls = []

    def objective(trial):
        calls.append(1)
        return trial.config["x"]

    study = inline(objective, evidence=None)
    assert len(calls) == 8
    assert study.verdict is None
    assert study.best.value == min(trial.value for trial in study.trials)
    assert not of(study, Measured)


def test_a_space_without_defaults_has_no_control_and_no_claim():
    study = inline(lambda trial: trial.config["x"], Space(x=Float(0.0, 1.0)))
    assert study.control is None
    assert (study.verdict.claim, study.verdict.action) == (None, None)
    assert study.best.value == min(trial.value for trial in study.trials)


def test_a_control_can_be_named():
    study = inline(lambda trial: trial.config["x"], control={"x": 0.9})
    assert study.control.config == {"x": 0.9}
    with pytest.raises(SpaceError):
        inline(lambda trial: 0.0, control={"x": 3.0})


def test_several_objectives_give_a_front_and_no_verdict():
    study = inline(
        lambda trial: {"loss": trial.config["x"], "size": 1 - trial.config["x"]},
        direction={"loss": "minimize", "size": "minimize"},
    )
    assert len(study.front) == len(study.trials) == 8
    assert study.verdict is None
    assert study.verify() == []
    before = len(of(study, object))
    again = inline(
        lambda trial: {"loss": trial.config["x"], "size": 1 - trial.config["x"]},
        direction={"loss": "minimize", "size": "minimize"},
        storage=study.store,
    )
    assert len(of(again, object)) == before


def test_other_numbers_and_reports_are_kept():
    def objective(trial):
        for step in range(3):
            trial.report(step, trial.config["x"] / (step + 1))
        return {"value": trial.config["x"], "epochs": 3, "size": np.float32(1.5)}

    study = inline(objective, budget=3)
    assert study.trials[1].extra == {"epochs": 3.0, "size": 1.5}
    assert [step for step, _ in study.trials[1].curve] == [0, 1, 2]
    assert len(of(study, Reported)) == 9


def test_given_configs_are_tried_after_the_control():
    study = inline(lambda trial: trial.config["x"], given=[{"x": 0.2}, {"x": 0.1}])
    assert [trial.config["x"] for trial in study.trials][:3] == [0.5, 0.2, 0.1]
    assert [trial.origin for trial in study.trials][:4] == ["control", "given", "given", "sampler"]


def test_a_finite_space_ends_early():
    space = Space(a=Choice(["p", "q"], default="p"), n=Int(1, 3, default=1))
    study = inline(lambda trial: trial.config["n"], space, budget=50)
    assert len(study.trials) == 6
    assert study.verdict is not None


@pytest.mark.parametrize(
    "budget",
    [Budget(looks=5), Budget(cpu_seconds=1e-6), Budget(trials=5, seconds=1e6)],
    ids=repr,
)
def test_every_kind_of_budget_ends_the_search(budget):
    study = inline(lambda trial: sum(range(20_000)) + trial.config["x"], budget=budget)
    assert 1 <= len(study.trials) <= 5
    assert study.verdict is not None


# --- going on


def test_a_finished_study_is_not_run_again():
    store, calls = MemoryStore(), []

    def objective(trial):
        calls.append(1)
        return trial.config["x"]

    first = inline(objective, storage=store)
    count, length = len(calls), len(of(first, object))
    again = inline(objective, storage=store)
    assert (len(calls), len(of(again, object))) == (count, length)
    assert again.verdict == first.verdict


class Stop(BaseException):
    """Ends the driver in the middle of a trial."""


@pytest.mark.parametrize("at", [1, 2, 4, 9, 14, 22])
def test_a_study_that_was_cut_off_anywhere_ends_as_if_it_had_not_been(at, monkeypatch):
    calm = inline(noisy(1.0))
    store, calls = MemoryStore(), []
    poll = InlineExecutor.poll

    def dying(self, timeout_s):
        calls.append(1)
        if len(calls) == at:
            raise Stop
        return poll(self, timeout_s)

    monkeypatch.setattr(InlineExecutor, "poll", dying)
    with pytest.raises(Stop):
        inline(noisy(1.0), storage=store)
    study = inline(noisy(1.0), storage=store)
    monkeypatch.undo()
    assert [(t.config, t.values) for t in study.trials] == [
        (t.config, t.values) for t in calm.trials
    ]
    assert str(study.verdict) == str(calm.verdict)
    assert len(of(study, Concluded)) == len(of(study, Selected)) == 1
    assert study.verify() == []


# --- objectives that misbehave, in a process of their own


def test_whatever_an_objective_does_is_a_failed_trial_with_a_reason():
    def objective(trial):
        what = trial.config["what"]
        if what == "raises":
            raise RuntimeError("the reactor is too hot")
        if what == "hangs":
            while True:
                pass
        if what == "exits":
            os._exit(3)
        if what == "prints":
            os.write(1, bytes(range(256)) * 40)
            os.write(2, b"\xff\xfe\x00 binary")
            return 2.0
        if what == "text":
            return "0.5"
        if what == "nothing":
            return None
        if what == "nan":
            return float("nan")
        if what == "array":
            return [1.0, 2.0]
        if what == "true":
            return True
        return 1.0

    faults = ["raises", "hangs", "exits", "text", "nothing", "nan", "array", "true"]
    space = Space(what=Choice(["good", "prints", *faults], default="good"))
    study = processes(
        objective,
        space,
        budget=10,
        sampler="grid",
        limits=Limits(seconds=1.5),
        evidence=Evidence(repeats=1),
    )
    states = {trial.config["what"]: trial for trial in study.trials}
    assert states["good"].state == states["prints"].state == "done"
    kinds = {what: states[what].failure.kind for what in faults}
    assert kinds == {
        "raises": "raised",
        "hangs": "timeout",
        "exits": "exited",
        "text": "invalid",
        "nothing": "invalid",
        "nan": "invalid",
        "array": "invalid",
        "true": "invalid",
    }
    assert "the reactor is too hot" in states["raises"].failure.reason
    assert all(states[what].failure.reason for what in faults)
    assert study.verdict is not None
    assert study.verify() == []


def test_an_objective_that_eats_memory_is_stopped_and_the_study_goes_on():
    def objective(trial):
        if trial.number == 1:
            held = [bytearray(b"x") * 20_000_000 for _ in range(60)]
            return float(len(held))
        return trial.config["x"]

    study = processes(objective, budget=3, limits=Limits(memory_mb=500), evidence=None)
    assert [trial.state for trial in study.trials] == ["done", "failed", "done"]
    assert study.trials[1].failure.kind == "memory"
    assert "MB" in study.trials[1].failure.reason


def test_closures_and_lambdas_run_in_processes_of_two_workers():
    shift = 3.0
    study = processes(lambda trial: trial.config["x"] + shift, budget=6, workers=2)
    assert [trial.state for trial in study.trials] == ["done"] * 6
    assert study.trials[0].value == 3.5
    assert study.verify() == []


def test_processes_and_this_process_give_the_same_values():
    one = processes(noisy(1.0), budget=3)
    two = inline(noisy(1.0), budget=3)
    assert [t.values for t in one.trials] == [t.values for t in two.trials]


def test_global_generators_are_seeded_in_processes():
    def objective(trial):
        return random.random() + np.random.random() + trial.config["x"]  # noqa: NPY002

    one, two = (processes(objective, budget=3, evidence=None) for _ in range(2))
    assert [t.values for t in one.trials] == [t.values for t in two.trials]


# --- errors


def test_a_control_that_fails_stops_the_study_with_the_way_out_and_keeps_the_log():
    def objective(trial):
        raise ValueError("no GPU here")

    store = MemoryStore()
    with pytest.raises(StateError, match="no GPU here") as error:
        inline(objective, storage=store)
    assert "control" in str(error.value)
    events = store.read("study")
    assert isinstance(events[-1], Failed)


def test_an_objective_that_always_fails_stops_after_ten_trials():
    calls = []

    def objective(trial):
        calls.append(1)
        raise ValueError("wrong shape")

    with pytest.raises(StateError, match="wrong shape"):
        inline(objective, Space(x=Float(0.0, 1.0)), budget=100)
    assert len(calls) == 10


def test_trials_that_fail_after_the_control_are_no_obstacle():
    def objective(trial):
        if trial.number:
            raise ValueError("no")
        return 1.0

    study = inline(objective, budget=5)
    assert [trial.state for trial in study.trials] == ["done"] + ["failed"] * 4
    assert study.verdict.action is Action.KEEP_DEFAULTS
    assert study.verdict.sentence == (
        "Keep the defaults: there is nothing to compare them with. All 4 other trials failed, the "
        "last with: ValueError: no."
    )
    assert study.verdict.gain is None


def test_without_other_trials_the_verdict_claims_no_comparison():
    for objective in (noisy(1.0), lambda trial: 1.0):
        study = inline(objective, budget=1)
        assert study.verdict.action is Action.KEEP_DEFAULTS
        assert "No other settings were tried." in study.verdict.sentence
        assert "noise" not in study.verdict.sentence


@pytest.mark.parametrize("after", [0, 3])
def test_a_winner_that_cannot_be_measured_again_is_not_said_to_have_lost(after):
    """`after`: how many evaluations of a trial give a value before it breaks."""
    seen = {}

    def objective(trial):
        seen[trial.number] = seen.get(trial.number, 0) + 1
        if trial.number and seen[trial.number] > 1 + after:
            raise ValueError("tired")
        return noisy(1.0)(trial)

    study = inline(objective, budget=4)
    assert study.verdict.action is Action.KEEP_DEFAULTS
    assert "be measured again" in study.verdict.sentence
    assert "did not beat" not in study.verdict.sentence


@pytest.mark.parametrize("control", [True, False])
def test_a_study_that_cannot_go_on_says_so_and_gives_the_way_out(control):
    def objective(trial):
        raise ValueError("no GPU")

    store = MemoryStore()
    space = SPACE if control else Space(x=Float(0.0, 1.0))
    with pytest.raises(StateError) as error:
        inline(objective, space, storage=store, budget=12)
    first, *where = str(error.value).splitlines()
    assert "ValueError: no GPU. " in first
    assert "new study" in first
    assert any("no GPU" in line for line in where), "the lines after it say where"
    study = open_study(store)
    assert standing(study.spec, study.history).phase == "stopped"
    said = " ".join(summary(view(study)).split())
    assert ("The defaults failed" in said) == control
    assert "ValueError: no GPU" in said
    assert "assay resume" not in said


def test_a_repeat_that_fails_is_logged_and_the_study_ends():
    calls = []

    def objective(trial):
        calls.append(trial.seed)
        if len(set(calls)) > 3:
            raise RuntimeError("tired")
        return trial.config["x"] + 1e-6 * (trial.seed % 5)

    study = inline(objective, budget=5)
    assert {event.kind for event in of(study, Broke)} == {"raised"}
    assert isinstance(study.verdict, Verdict)
    assert study.verify() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": 0}, "trials"),
        ({"budget": -3}, "trials"),
        ({"budget": 2.5}, "trials"),
        ({"budget": None}, "budget"),
        ({"direction": "down"}, "minimize"),
        ({"direction": []}, "direction"),
        ({"sampler": "soboll"}, "Did you mean 'sobol'"),
        ({"sampler": {"name": "grid", "pionts": 3}}, "Did you mean 'points'"),
        ({"seed": -1}, "seed"),
        ({"seed": "a"}, "seed"),
        ({"smallest_gain": -1.0}, "smallest_gain"),
        ({"smallest_gain": float("nan")}, "smallest_gain"),
        ({"workers": 0}, "workers"),
        ({"isolation": "thread"}, "isolation"),
        ({"isolation": "none", "workers": 2}, "isolation"),
        ({"isolation": "none", "limits": Limits(seconds=1)}, "isolation"),
        ({"storage": "lab.txt"}, "storage"),
        ({"given": [{"y": 1}]}, "y"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_options_are_refused_before_anything_runs(change, words):
    calls = []
    options = {"budget": 3, "isolation": "none", "progress": False} | change
    with pytest.raises((SpecError, SpaceError)) as error:
        optimize(lambda trial: calls.append(1) or 0.0, SPACE, **options)
    assert words in str(error.value)
    assert not calls


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="budgets"):
        optimize(lambda trial: 0.0, SPACE, budgets=3)


@pytest.mark.parametrize("objective", [None, 3, "f"])
def test_what_is_no_function_or_no_space_is_refused(objective):
    with pytest.raises(SpecError, match="function"):
        inline(objective)
    with pytest.raises(SpecError, match="Space"):
        inline(lambda trial: 0.0, {"x": (0, 1)})


def test_told_trials_carry_their_costs():
    study = inline(lambda trial: sum(range(100_000)) + trial.config["x"], budget=2)
    assert all(event.wall_s > 0 for event in of(study, Told))


def test_workers_that_strict_order_leaves_idle_are_named():
    plain = {"budget": Budget(trials=3), "isolation": "none", "order": "strict"}
    with pytest.warns(UserWarning, match="lag=1 at most 2 trials run at once; the other 3 of 5"):
        optimize(
            lambda t: 1.0,
            Space(x=Float(0, 1)),
            workers=5,
            lag=1,
            **{**plain, "isolation": "process"},
        )
    with pytest.raises(SpecError, match=r"No order 'strickt'\. Did you mean 'strict'"):
        optimize(lambda t: 1.0, Space(x=Float(0, 1)), **{**plain, "order": "strickt"})


def test_a_search_of_several_objectives_ends_finished():
    made = optimize(
        lambda t: {"a": t.config["x"], "b": 1 - t.config["x"]},
        Space(x=Float(0, 1, default=0.5)), budget=4, isolation="none",
        direction={"a": "minimize", "b": "minimize"}, progress=False,
    )  # fmt: skip
    assert standing(made.spec, made.history).phase == "finished"
    assert standing(made.spec, fold(list(made.store.read(made.name))[:-2])).phase == "search"


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (lambda trial: trial["x"], "A trial is no dict"),
        (lambda trial: float("nan"), "nan"),
        (lambda trial: "0.3", "'0.3'"),
        (lambda trial: {"acc": 1.0}, 'say what is better: direction={"acc": "minimize"}'),
    ],
)
def test_where_no_trial_gives_a_value_the_last_reason_is_said(objective, said):
    with pytest.raises(StateError, match=f"no trial ended with a value. The last trial: .*{said}"):
        inline(objective, Space(x=Float(0.0, 1.0)), budget=3)
