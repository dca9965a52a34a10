"""What a running study shows, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import numpy as np
import pytest

import assay
from assay import progress
from assay.core.events import Asked, Created, Failed, Measured, Told
from assay.core.history import fold
from assay.core.parameters import Float
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, StudySpec
from assay.progress import Progress, showing
from assay.report.outlook import outlook

SPACE = Space(x=Float(0, 1, default=0.5))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told to; reading it takes no time."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def plan(**changes):
    settings = {
        "budget": Budget(trials=20),
        "control": SPACE.defaults(),
        "evidence": None,
    } | changes
    return StudySpec(SPACE, {"value": "minimize"}, **settings)


def histories(spec, n, *, failed=(), wall_s=2.0):
    """The history after each trial."""
    history = fold([Created(spec.to_json(), spec.plan)])
    for i in range(n):
        origin = "control" if i == 0 and spec.control else "sampler"
        asked = Asked(i, {"x": i / 100}, history.length, origin)
        ended = Told(i, (1.0 - i / 100,), None, wall_s, wall_s)
        if i in failed:
            ended = Failed(i, "raised", "no", "", wall_s, wall_s)
        history = fold([asked, ended], history)
        yield history


def lines(spec, states, clock, *, step_s=0.0, **options):
    stream = io.StringIO()
    shown = Progress(spec, stream=stream, **options)
    for history in states:
        shown(history)
        clock(step_s)
    shown.close()
    return stream.getvalue().splitlines()


def test_plain_lines_come_at_most_every_five_seconds(clock):
    found = lines(plan(), histories(plan(), 20), clock, step_s=1.0)
    assert [" ".join(line.split()[:2]) for line in found if "/20" in line] == [
        "searching: 2/20", "searching: 7/20", "searching: 12/20", "searching: 17/20", "done: 20/20",
    ]  # fmt: skip


def test_in_a_long_study_lines_become_rarer(clock):
    spec = plan(budget=Budget(trials=2000))
    found = lines(spec, histories(spec, 2000), clock, step_s=10.0)
    assert 250 < len(found) < 450, "of 2,000 that might be"
    seen = [int(line.split()[1].split("/")[0]) for line in found[1:]]
    assert max(b - a for a, b in pairwise(seen)) <= 6, "one each minute"


def test_the_same_line_is_not_said_again_within_a_minute(clock):
    *_, state = histories(plan(), 5)
    found = lines(plan(), [state] * 130, clock, step_s=1.0)
    assert len(found) == 3, "a sign of life each minute"
    assert len(set(found)) == 1


def test_while_the_defaults_are_measured_the_search_is_still_to_come(clock):
    evidence = Evidence(repeats=5, rechecks=3, confirms=10, top=5)
    spec = plan(evidence=evidence)
    *_, state = histories(spec, 1)
    (line,) = lines(spec, [state], clock)
    assert line.startswith("measuring the defaults: 0/5 evaluations")
    # 5 of the control, 19 trials, 6 configs three times, 2 configs ten times, 2 s each
    assert (5 + 19 + 18 + 20) * 2 == 124
    assert line.endswith(", 2 min 04 s to go")
    spec = plan(evidence=evidence, budget=Budget(seconds=100.0))
    *_, state = histories(spec, 1)
    assert "to go" not in lines(spec, [state], clock)[0], "nobody knows how many trials come"


def test_a_change_of_phase_is_shown_at_once(clock):
    found = lines(plan(evidence=Evidence()), histories(plan(), 2), clock, step_s=0.2)
    assert [line.split(":")[0] for line in found] == ["measuring the defaults", "searching"]


def test_the_last_state_is_always_shown(clock):
    assert "20/20" in lines(plan(), histories(plan(), 20), clock)[-1]


def test_a_line_tells_the_gain_the_failures_and_the_time_to_go(clock):
    *_, last = histories(plan(), 11, failed={3, 4})
    (line,) = lines(plan(), [last], clock)
    assert line == "searching: 11/20 trials, best +0.1 (trial 10), 2 failed, 18 s to go"


def test_workers_share_the_time_to_go(clock):
    *_, last = histories(plan(), 10)
    (line,) = lines(plan(), [last], clock, workers=4)
    assert line.endswith(", 5 s to go")


def test_without_a_control_the_value_is_shown(clock):
    spec = plan(control=None)
    *_, last = histories(spec, 10)
    assert "best 0.91 (trial 9)" in lines(spec, [last], clock)[0]


def test_other_limits_tell_what_is_left(clock):
    spec = plan(budget=Budget(looks=30, cpu_seconds=60, seconds=100))
    *_, last = histories(spec, 10)
    assert (
        "20 looks and 40 s of CPU time and about 1 min 20 s left" in lines(spec, [last], clock)[0]
    )


def test_most_calls_only_look_at_the_clock(clock, monkeypatch):
    calls = []
    monkeypatch.setattr(progress, "standing", lambda *a: calls.append(a) or 1 / 0)
    shown = Progress(plan(), stream=io.StringIO())
    *_, last = histories(plan(), 2)
    with pytest.raises(ZeroDivisionError):
        shown(last)
    shown._next = progress.monotonic() + 1
    for _ in range(100):
        shown(last)
    assert len(calls) == 1


def test_showing_takes_a_small_share_of_the_time(monkeypatch):
    now = iter([0.0, 1.0, 1.0, 49.0, 50.9, 51.1, 51.2])  # the first showing takes a second
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    shown = Progress(plan(), stream=io.StringIO())
    states = list(histories(plan(), 5))
    seen = []
    monkeypatch.setattr(shown, "_show", lambda history, at: seen.append(at))
    for history in states:
        shown(history)
    assert seen == [0.0, 51.1]


def test_quiet_is_silent(clock):
    assert lines(plan(), histories(plan(), 20), clock, quiet=True) == []


def test_a_reader_that_has_gone_does_not_stop_the_study(clock):
    shown = Progress(plan(), stream=Broken())
    for history in histories(plan(), 5):
        shown(history)
    shown.close()


def test_a_study_with_several_objectives_is_counted(clock):
    spec = StudySpec(SPACE, {"a": "minimize", "b": "minimize"}, budget=Budget(trials=5))
    events = [Created(spec.to_json(), spec.plan), Asked(0, {"x": 0.1}, 1), Told(0, (1.0, 2.0))]
    assert lines(spec, [fold(events)], clock) == ["searching: 1/5 trials"]


def test_a_terminal_gets_one_live_line_that_fits(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with Progress(plan(), stream=stream) as shown:
        for history in histories(plan(), 20, failed={3}):
            shown(history)
            clock(1.0)
    written = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    drawn = [line for line in re.split(r"[\r\n]+", written) if line.strip()]
    assert drawn[-1].startswith("done: 20/20 trials")
    assert max(map(len, drawn)) <= 60
    assert stream.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_closing_twice_or_before_anything_is_harmless():
    shown = Progress(plan(), stream=Terminal())
    shown.close()
    shown.close()


@pytest.mark.parametrize(
    ("stream", "wanted", "is_shown"),
    [
        (io.StringIO(), None, False),
        (Terminal(), None, True),
        (io.StringIO(), True, True),
        (Terminal(), False, False),
    ],
)
def test_by_default_only_a_terminal_is_shown_anything(stream, wanted, is_shown):
    with showing(plan(), wanted=wanted, stream=stream) as watch:
        assert (watch is not None) == is_shown


def measured_control(spec):
    """The control with its repeats, and a first trial."""
    events = [
        Created(spec.to_json(), spec.plan), Asked(0, {"x": 0.5}, 1, "control"), Told(0, (1.0,)),
        *(Measured(0, "probe", (0, 0, s), 1.0 + 0.1 * s) for s in (0, 1)),
        *(Measured(0, "control", (0, 0, s), 1.0 + 0.1 * s) for s in (1, 2)),
        Asked(1, {"x": 0.25}, 7), Told(1, (0.9,)),
    ]  # fmt: skip
    return fold(events)


def test_before_the_search_it_says_once_what_can_be_shown(clock):
    stream = io.StringIO()
    spec = plan(evidence=Evidence(), smallest_gain=0.01)
    with Progress(spec, stream=stream) as shown:
        for _ in range(3):
            clock(10)
            shown(measured_control(spec))
    assert stream.getvalue().count("fresh evaluations can show gains above") == 1
    assert "worth having is 0.01, so a gain may be there and stay unseen" in stream.getvalue()
    assert "Luck alone is expected to show the 0.01" in stream.getvalue()


def test_of_a_model_without_chance_the_outlook_is_a_bound_before_the_first_pair():
    rng = np.random.default_rng(0)
    study = assay.tune(
        "ridge", rng.normal(size=(60, 2)), rng.normal(size=60), budget=3, test=0, isolation="none",
        checks=False, smallest_gain=0.01, progress=False,
    )  # fmt: skip
    events = study.store.read(study.name)
    first = next(i for i, e in enumerate(events) if isinstance(e, Told) and e.trial == 1)
    before = outlook(study.spec, fold(events[:first]))
    assert "or above less: two configs share a part of that noise" in before
    assert "Luck alone" not in before
    after = outlook(study.spec, fold(events[: first + 1]))
    assert "or above less" not in after
    assert "Luck alone" in after


def test_the_outlook_is_as_much_as_is_known():
    spec = plan(evidence=Evidence(), smallest_gain=5.0)
    assert "unseen" not in outlook(spec, measured_control(spec))
    nothing = plan(evidence=Evidence())
    assert outlook(nothing, measured_control(nothing)).endswith("value.")
    assert outlook(spec, fold([])) == ""
    assert outlook(plan(evidence=None), measured_control(spec)) == ""
