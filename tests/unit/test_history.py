"""The fold: in parts as at once, like a simple model, older histories stay, illegal steps are refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.errors import SealError, StateError
from assay.core.events import (
    FLOOR,
    Ablated,
    Asked,
    Attributed,
    Audited,
    Broke,
    Concluded,
    Created,
    Deviated,
    Ended,
    Enqueued,
    Environment,
    Estimated,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Inspected,
    Joined,
    Learned,
    Measured,
    Metered,
    Noted,
    Opened,
    Opening,
    Paused,
    Reported,
    Resumed,
    Retried,
    Sealed,
    Selected,
    Steered,
    Stopped,
    Told,
    Varied,
    Voided,
)
from assay.core.history import History, fold

STAGES = ("search", "control", "recheck", "probe", "test")


# --- a simple model: the same rules, written down a second time without any cleverness


@dataclass
class Model:
    log: list = field(default_factory=list)

    def trials(self):
        return [e for e in self.log if isinstance(e, Asked)]

    def end(self, number):
        ends = [e for e in self.log if isinstance(e, Told | Failed) and e.trial == number]
        return ends[0] if ends else None

    def moves(self, number):
        return [
            e for e in self.log if isinstance(e, Paused | Stopped | Resumed) and e.trial == number
        ]

    def state(self, number):
        end, moves = self.end(number), self.moves(number)
        if end:
            return "done" if isinstance(end, Told) else "failed"
        states = {Paused: "paused", Stopped: "stopped", Resumed: "running"}
        return states[type(moves[-1])] if moves else "running"

    def running(self):
        return [e.trial for e in self.trials() if self.state(e.trial) == "running"]

    def until(self, number):
        """The step to which a trial may run, of three."""
        resumed = [e.until for e in self.moves(number) if isinstance(e, Resumed)]
        return (resumed or [self.trials()[number].until or 3])[-1]

    def racing(self):
        return bool(self.log) and self.log[0] == RACING[0]

    def done(self):
        return [e.trial for e in self.trials() if isinstance(self.end(e.trial), Told)]

    def of(self, kind, number=None):
        return [
            e for e in self.log if isinstance(e, kind) and number in (None, getattr(e, "trial", 0))
        ]

    def waiting(self):
        return self.of(Enqueued)[sum(e.origin == "given" for e in self.trials()) :]

    def curve(self, number):
        return tuple(sorted({e.step: e.value for e in self.of(Reported, number)}.items()))

    def used(self):
        """Evaluations and CPU seconds of the search, of the trials that ended."""
        looks, cpu_s = 0, 0.0
        for end in (e for e in self.log if isinstance(e, Told | Failed)):
            found = {e.unit: e for e in self.of(Measured, end.trial) if e.stage == "search"}
            looks += max(len(found), 1)
            cpu_s += max(sum(e.cpu_s for e in found.values()), end.cpu_s)
        for number in range(len(self.trials())):
            cpu_s += sum(e.cpu_s for e in self.moves(number) if not isinstance(e, Resumed))
            if self.state(number) in ("paused", "stopped"):
                found = {e.unit: e for e in self.of(Measured, number) if e.stage == "search"}
                looks += max(len(found), 1)
                cpu_s += sum(e.cpu_s for e in found.values())
        return looks, cpu_s

    def opening(self):
        acts = [e for e in self.log if isinstance(e, Opening | Opened)]
        return bool(acts) and isinstance(acts[-1], Opening)

    def legal(self):
        """Every kind of event that may come next, as functions of a random number."""
        return [
            *self.always(), *self.of_the_search(), *self.of_trials(), *self.of_the_seal(),
            *self.of_an_ablation(),
        ]  # fmt: skip

    def always(self):
        n = len(self.trials())
        yield lambda r: Noted(f"note {r}", r % n if n else None)
        yield lambda r: Environment({"cpu": r})
        yield lambda r: Joined("w", "h", (str(r),))
        yield lambda r: Deviated("budget", 1, r, "why not")
        yield lambda r: Exhausted("all tried")
        yield lambda r: Ended(n, float(r))
        yield lambda r: Steered(("pause", "go on", "stop")[r % 3])
        yield lambda r: Metered("rapl", r / 1e6, 1.0, float(r))
        yield lambda r: Inspected("quick", "TUNE", ({"code": f"PF{r:02}"},))
        yield lambda r: Concluded({"verdict": r})
        yield lambda r: Broke(r % n if n else FLOOR, "recheck", ((0, r, 0),), "crashed", "no")
        yield lambda r: Measured(FLOOR, "floor", (0, r % 3, 0), float(r))
        if not self.log:
            yield lambda r: Created({}, "hash")

    def of_the_search(self):
        n, at, done = len(self.trials()), len(self.log), self.done()
        if not n:
            yield lambda r: Learned(f"s{r}", "hash", "head", r, [{"a": r}], (0.5,))
        if self.of(Frozen):
            return
        yield from [lambda r: Asked(n, {"a": r}, r % (at + 1), ("control", "sampler")[r % 2])] * 4
        if self.racing():
            yield lambda r: Asked(n, {"a": r}, at, until=1 + r % 3)
        yield lambda r: Enqueued({"a": r})
        if self.waiting():
            yield lambda r: Asked(n, {"a": r}, at, "given", {"source": "x"})
        if done:
            yield lambda r: Selected(done[0], done[-1], "guard", "no", [])
        if self.of(Selected):
            yield lambda r: Frozen((0,), 5, "hash")
            if not self.of(Sealed) and not self.of(Estimated):
                yield from [lambda r: Estimated("bbc", {"x": float(r)})] * 8

    def of_trials(self):
        n, busy = len(self.trials()), self.running()
        if n:
            yield lambda r: Measured(r % n, STAGES[1 + r % 3], (1, r % 3, 0), float(r))
        if busy:

            def pick(r):
                return busy[r % len(busy)]

            if full := [t for t in busy if self.until(t) == 3]:
                told = lambda r: Told(full[r % len(full)], (float(r),), {"x": 1.0}, cpu_s=0.5)  # noqa: E731
                yield from [told] * 3
            yield lambda r: Failed(pick(r), "raised", "no", wall_s=0.25)
            yield lambda r: Reported(pick(r), r % 4, float(r))
            yield lambda r: Retried(pick(r), 1, "crashed", "no")
            yield lambda r: Measured(pick(r), "search", (0, r % 3, 0), float(r), 1.0, cpu_s=r / 8)
            if self.racing():
                yield from [lambda r: Paused(pick(r), 1 + r % 2, "place 2", None, r / 4, 1.0)] * 6
                yield lambda r: Stopped(pick(r), 1 + r % 3, "worse", r / 4)
        for number in range(n):
            if self.state(number) == "paused":
                step = self.moves(number)[-1].step
                more = lambda r, t=number, s=step: Resumed(t, s + 1, "the best", (0, s)[r % 2])  # noqa: E731
                yield from [more] * 6

    def of_the_seal(self):
        n, frozen = len(self.trials()), self.of(Frozen)
        if not n and not self.of(Measured) and not self.of(Sealed):
            yield from [lambda r: Sealed("s", 10, "rows", "hash", "sketch")] * 3
        if frozen:
            yield from [lambda r: Voided("given up")] * 2
        if self.of(Sealed) and frozen and not self.opening() and not self.of(Voided):
            look = len(self.of(Opening)) + 1
            yield from [lambda r: Opening(look, "hash", (0,), "again")] * 8
        if self.opening():
            yield from [lambda r: Opened(1, {"0": r})] * 8
            if n:
                yield lambda r: Measured(r % n, "test", (0, 0, r), float(r))

    def of_an_ablation(self):
        if self.of(Selected):
            yield lambda r: Audited(0, f"changes {r}", {"changes": {}})
        if not self.of(Ablated):
            yield lambda r: Ablated("a", {"budget": {"trials": 5}})
            return
        name = f"v{len(self.of(Varied))}"
        yield lambda r: Varied("a", name, "hash", ("x",), r, {"trials": 5})
        if not self.of(Attributed):
            yield lambda r: Attributed("a", {"x": float(r)})


FROZEN = [
    Created({}, "hash"), Sealed("s", 10, "rows", "hash", "sketch"), Enqueued({"a": 3}),
    Asked(0, {"a": 1}, 2, "control"), Asked(1, {"a": 2}, 2), Told(1, (1.0,)), Told(0, (2.0,)),
    Selected(0, 1, "guard", "no gain", []), Frozen((0, 1), 5, "hash"),
]  # fmt: skip


RACING = [
    Created({"space": {"fidelity": {"name": "epochs", "least": 1, "most": 3}}}, "hash"),
]  # fmt: skip


def legal_log(start, choices):
    model = Model(list(start))
    for which, r in choices:
        legal = model.legal()
        model.log.append(legal[which % len(legal)](r))
    return model.log


CHOICES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 30)), max_size=45)
LOGS = st.builds(legal_log, st.sampled_from([[], FROZEN, RACING, RACING]), CHOICES)


def check(history, log):
    """The history says what the model says of the same log."""
    model = Model(log)
    n = len(model.trials())
    assert (history.length, history.n_trials, len(history.trials)) == (len(log), n, n)
    for number, asked in enumerate(model.trials()):
        trial, end = history.trial(number), model.end(number)
        state = model.state(number)
        assert (trial.number, trial.state, trial.config) == (number, state, asked.config)
        assert (trial.origin, trial.seen, trial.why) == (asked.origin, asked.seen, asked.why)
        assert trial.values == (end.values if state == "done" else None)
        assert trial.value == (end.values[0] if state == "done" else None)
        assert trial.extra == ((end.extra or {}) if state == "done" else {})
        assert trial.failure == (end if state == "failed" else None)
        parts = [
            e
            for e in (*model.moves(number), end)
            if isinstance(e, Paused | Stopped | Told | Failed)
        ]
        cost = [sum(getattr(e, kind) for e in parts) for kind in ("cpu_s", "wall_s")]
        assert [trial.cpu_s, trial.wall_s] == pytest.approx(cost)
        assert list(trial.moves) == model.moves(number)
        assert trial.curve == model.curve(number)
        assert history.outcome(number) == end
        assert history.origin(number) == asked.origin
        assert history.config(number) == asked.config
        assert len(history.retries(number)) == len(model.of(Retried, number))
        earlier = [e.trial for e in model.trials() if e.config == asked.config]
        assert history.find(asked.config) == earlier[0]
    for number in range(FLOOR, n):
        measured = model.of(Measured, number)
        outside = {e.unit: e for e in measured if e.stage not in ("probe", "test")}
        assert history.units(number) == outside
        for stage in STAGES:
            assert history.units(number, stage) == {e.unit: e for e in measured if e.stage == stage}
    assert history.running() == model.running()
    ends = [e for e in log if isinstance(e, Told | Failed)]
    assert list(history.ended) == [e.trial for e in ends]
    assert history.n_ended == len(ends)
    assert list(history.told()) == [(e.trial, e) for e in ends if isinstance(e, Told)]
    assert history.failed == [e.trial for e in ends if isinstance(e, Failed)]
    check_columns(history, ends)
    assert history.used == pytest.approx(model.used())
    assert history.n_sampled == sum(e.origin == "sampler" for e in model.trials())
    assert history.waiting == model.waiting()
    assert history.breakages() == model.of(Broke)
    check_runs(history, model)
    own = (
        Asked,
        Paused,
        Stopped,
        Resumed,
        Told,
        Failed,
        Reported,
        Measured,
        Retried,
        Broke,
        Enqueued,
    )
    assert history.learned == model.of(Learned)
    assert history.milestones() == [e for e in log if not isinstance(e, own)]
    assert history.looks == len(model.of(Opening))
    for kind in (Created, Sealed, Selected, Frozen, Noted):
        assert history.last(kind) == (model.of(kind) or [None])[-1]
    assert history.find({"a": "nobody"}) is None


def check_columns(history, ends):
    """The ends as columns are the ends one by one."""
    found = {}
    for table in history.ends():
        values = list(zip(*table.values, strict=True)) or [None] * len(table.places)
        found |= dict(
            zip(table.places, zip(values, table.cpu_s, table.wall_s, strict=True), strict=True)
        )
    said = [(e.values if isinstance(e, Told) else None, e.cpu_s, e.wall_s) for e in ends]
    assert [found[place] for place in range(len(ends))] == said


def check_runs(history, model):
    if not model.racing():
        assert list(history.runs()) == []
        return
    assert len(history.runs()) == len(model.trials())
    for number, run in enumerate(history.runs()):
        assert (run.trial, run.state, run.until) == (
            number,
            model.state(number),
            model.until(number),
        )
        assert run.curve == model.curve(number)
        assert run.protected == (model.trials()[number].origin == "control")
        if run.state in ("paused", "stopped"):
            assert run.step == model.moves(number)[-1].step
        elif reports := model.of(Reported, number):
            assert run.step == reports[-1].step


# --- properties


@given(log=LOGS)
def test_the_fold_agrees_with_a_simple_model(log):
    check(fold(log), log)


@given(log=LOGS, data=st.data())
def test_folding_in_parts_is_folding_at_once(log, data):
    cut = data.draw(st.integers(0, len(log)))
    parts = fold(log[cut:], fold(log[:cut]))
    assert parts == fold(log)
    one_by_one = History()
    for event in log:
        one_by_one = fold([event], one_by_one)
    assert one_by_one == fold(log)


@given(log=LOGS)
def test_older_histories_stay_valid(log):
    histories = [History()]
    for event in log:
        histories.append(fold([event], histories[-1]))
    for length in range(0, len(log) + 1, 5):
        check(histories[length], log[:length])
        assert histories[length] == fold(log[:length])
    assert histories[-1] != fold(log[:-1]) or not log


@given(log=LOGS, choices=CHOICES, data=st.data())
def test_a_history_can_be_continued_in_two_ways(log, choices, data):
    cut = data.draw(st.integers(0, len(log)))
    other = legal_log(log[:cut], choices)
    older = fold(log[:cut])
    newest = fold(log[cut:], older)
    fork = fold(other[cut:], older)
    check(fork, other)
    check(newest, log)
    check(older, log[:cut])
    assert fold([Noted("on the fork")], fork).length == len(other) + 1


@given(log=LOGS)
def test_what_is_illegal_is_refused_and_leaves_the_history_as_it_was(log):
    history = fold(log)
    for event in illegal(Model(log)):
        with pytest.raises(StateError):
            fold([event], history)
        with pytest.raises(StateError):
            fold([Noted("legal"), event], history)
    check(history, log)
    check(fold([Noted("on")], history), [*log, Noted("on")])


def test_a_step_that_no_column_can_hold_is_refused():
    history = fold([Asked(0, {}, 0)])
    with pytest.raises(StateError, match="too large"):
        fold([Reported(0, 2**63, 1.0)], history)
    assert fold([Reported(0, -3, 1.0)], history).curve(0) == ((-3, 1.0),)


def illegal_moves(model):
    n = len(model.trials())
    if not model.racing():
        yield Asked(n, {}, 0, until=1)
        yield from (Paused(t, 1, "") for t in model.running())
        return
    yield Asked(n, {}, 0, until=4)
    for number in range(n):
        state = model.state(number)
        if state == "running" and model.until(number) < 3:
            yield Told(number, (1.0,))
        if state == "paused":
            step = model.moves(number)[-1].step
            yield from (Resumed(number, step, ""), Resumed(number, 4, ""))
            yield Resumed(number, 3, "", step + 1)
        else:
            yield Resumed(number, 3, "")
        if state != "running":
            yield from (Paused(number, 1, ""), Stopped(number, 1, ""))


def illegal(model):
    n, busy = len(model.trials()), model.running()
    yield from (
        Asked(n + 1, {}, 0),
        Asked(-1, {}, 0),
        Asked(n, {}, len(model.log) + 2),
        Asked(n, {}, -1),
    )
    yield from (
        Told(n, (1.0,)),
        Told(-1, (1.0,)),
        Failed(n, "raised", ""),
        Retried(n, 1, "crashed", ""),
    )
    yield from (Reported(n, 0, 1.0), Measured(n, "recheck", (0, 0, 0), 1.0))
    yield Measured(FLOOR - 1, "recheck", (0, 0, 0), 1.0)
    yield Selected(n, n, "", "", [])
    yield Opening(len(model.of(Opening)) + 2, "", (), "why")
    for asked in model.trials():
        if asked.trial not in busy:
            yield from (Told(asked.trial, (1.0,)), Failed(asked.trial, "raised", ""))
            yield from (Reported(asked.trial, 0, 1.0), Retried(asked.trial, 1, "crashed", ""))
            yield Measured(asked.trial, "search", (0, 0, 0), 1.0)
    yield from illegal_moves(model)
    if model.log:
        yield Created({}, "")
    if not model.waiting():
        yield Asked(n, {}, 0, "given")
    if model.of(Frozen):
        yield from (Asked(n, {}, 0), Enqueued({}), Frozen((0,), 1, ""), Selected(0, 0, "", "", []))
    else:
        yield Opening(1, "", ())
    if not model.of(Selected):
        yield Frozen((0,), 1, "")
    yield Learned("s", "", "", 3, [{}], ())
    if n:
        yield Learned("s", "", "", 3, [{}], (0.5,))
    if n or model.of(Measured) or model.of(Sealed):
        yield Sealed("s", 1, "rows", "", "")
    if not model.opening():
        yield from (Opened(1, {}), Measured(FLOOR, "test", (0, 0, 0), 1.0))
    else:
        yield Opening(len(model.of(Opening)) + 1, "", (), "again")


def test_the_random_logs_reach_every_kind_of_event():
    seen = set()

    @settings(max_examples=1500, derandomize=True)  # rare kinds: always the same logs
    @given(log=LOGS)
    def collect(log):
        seen.update(type(event) for event in log)

    collect()
    assert seen == set(get_args(Event))


# --- the seal


def opened():
    return fold([
        Sealed("s", 10, "rows", "hash", "sketch"), Asked(0, {"a": 1}, 1, "control"), Told(0, (1.0,)),
        Selected(0, 0, "guard", "no gain", []), Frozen((0,), 5, "hash"), Opening(1, "hash", (0,)),
    ])  # fmt: skip


def test_the_test_set_is_opened_once_without_a_reason():
    history = opened()
    assert history.looks == 1
    history = fold([Measured(0, "test", (0, 0, 0), 1.0), Opened(1, {"0": 1.0})], history)
    with pytest.raises(SealError, match="another look needs a reason"):
        fold([Opening(2, "hash", (0,), "  ")], history)
    assert fold([Opening(2, "hash", (0,), "a typo in the target")], history).looks == 2


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Opening(2, "hash", (0,), "why"), "being opened already"),
        (Opening(5, "hash", (0,), "why"), "look 2 at the test set, not 5"),
        (Sealed("t", 1, "rows", "", ""), "sealed before anything is fitted"),
    ],
)
def test_an_opening_that_is_under_way_is_finished_first(event, message):
    with pytest.raises(SealError, match=message):
        fold([event], opened())


def test_a_seal_comes_first_and_once():
    sealed = Sealed("s", 10, "rows", "hash", "sketch")
    with pytest.raises(SealError, match="has a sealed test set already"):
        fold([sealed, sealed])
    with pytest.raises(SealError, match="before anything is fitted"):
        fold([Measured(FLOOR, "floor", (0, 0, 0), 1.0), sealed])


def test_a_seal_that_was_given_up_is_never_opened():
    history = fold([Opened(1, {}), Voided("published")], opened())
    with pytest.raises(SealError, match="given up"):
        fold([Opening(2, "hash", (0,), "why")], history)


def test_a_frozen_study_says_what_to_do():
    with pytest.raises(StateError, match=r"frozen: you cannot ask .* Start a new study"):
        fold([Asked(1, {}, 0)], opened())


# --- values


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "event",
    [
        lambda v: Told(0, (1.0, v)),
        lambda v: Told(0, (1.0,), {"x": v}),
        lambda v: Reported(0, 1, v),
        lambda v: Measured(0, "search", (0, 0, 0), v),
        lambda v: Measured(0, "search", (0, 0, 0), 1.0, v),
    ],
)
def test_values_that_json_cannot_hold_are_refused(event, value):
    history = fold([Asked(0, {}, 0)])
    with pytest.raises(StateError, match=r"Trial 0 .* not finite"):
        fold([event(value)], history)
    assert fold([Told(0, (1.0,))], history).n_ended == 1


# --- small things


def test_trials_are_a_sequence():
    history = fold([Asked(0, {"a": 1}, 0), Asked(1, {"a": 2}, 1), Asked(2, {"a": 3}, 2)])
    assert [trial.number for trial in history.trials] == [0, 1, 2]
    assert [trial.number for trial in history.trials[1:]] == [1, 2]
    assert history.trials[-1].config == {"a": 3}
    assert repr(history.trials) == "<3 trials>"
    assert repr(history) == "History(3 trials, 0 ended, 3 events)"
    for missing in (3, -4):
        with pytest.raises(IndexError, match="no trial"):
            history.trials[missing]
        with pytest.raises(StateError, match="no trial"):
            history.trial(missing)


def test_histories_are_compared_by_what_they_say():
    events = [Asked(0, {"a": 1}, 0), Retried(0, 1, "crashed", "no")]
    assert fold(events) == fold(events)
    assert fold(events) != fold([events[0], Retried(0, 2, "crashed", "no")])
    assert fold(events) != fold([events[0], Noted("no")])
    assert History() != "History"
    with pytest.raises(TypeError):
        hash(History())


def test_a_config_is_found_whatever_its_order():
    history = fold([Asked(0, {"a": 1, "b": 2}, 0), Asked(1, {"b": 2, "a": 1}, 0)])
    assert history.find({"b": 2, "a": 1}) == 0
    assert history.find({"b": 2, "a": True}) is None
    older = fold([Asked(0, {"a": 1}, 0)])
    newer = fold([Asked(1, {"a": 2}, 0)], older)
    assert (newer.find({"a": 2}), older.find({"a": 2})) == (1, None)


def test_what_a_history_hands_out_is_not_its_own():
    history = fold(
        [Asked(0, {"x": 1}, 0, "sampler", {"model": "gp"}), Told(0, (0.5,), {"ms": 2.0})]
    )
    trial = history.trials[0]
    trial.config["x"] = 2
    history.config(0)["y"] = 3
    history.outcome(0).extra["ms"] = 0.0
    assert history.config(0) == {"x": 1}
    assert history.outcome(0) == Told(0, (0.5,), {"ms": 2.0})


def test_extending_the_newest_history_copies_nothing():
    history = History()
    for number in range(2000):
        columns = history._columns
        history = fold([Asked(number, {}, 0), Told(number, (0.0,))], history)
        assert history._columns is columns


def test_a_trial_is_printed_in_a_line_whatever_was_measured():
    measured = [Measured(0, "search", (0, fold_, 0), 0.5) for fold_ in range(50)]
    log = [Created({}, "0"), Asked(0, {"lr": 0.1}, 1), *measured, Told(0, (0.5,))]
    said = repr(fold(log).trial(0))
    assert said == "Trial(number=0, state='done', values=(0.5,), config={'lr': 0.1})"
