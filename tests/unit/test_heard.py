"""What the messages of a job become in the log, without a loop around it."""

import pytest

from assay import Fidelity, Float, Space
from assay.core.events import Asked, Broke, Created, Failed, Measured, Reported, Retried, Told
from assay.core.history import fold
from assay.core.jobs import Broken, Done, Job, Measurement, Step
from assay.core.spec import StudySpec
from assay.engine.heard import Heard, Running, is_part

SPACE = Space(x=Float(0, 1), fidelity=Fidelity("epochs", 1, 9))
SPEC = StudySpec(SPACE, {"loss": "minimize"})
PAST = fold([Created(SPEC.to_json(), SPEC.plan), *(Asked(n, {"x": 0.5}, n + 1) for n in range(5))])


def heard(job, message, *, scheduled=True, **past):
    running = Running(job, **past)
    events, _ = Heard(SPEC, PAST, running, scheduled).events(message)
    return events


def job(stage="search", **course):
    return Job(id=0, trial=4, stage=stage, config={"x": 0.5}, **course)


def test_a_report_is_held_and_not_written_twice():
    running = Running(job(until=9))
    heard = Heard(SPEC, PAST, running, scheduled=True)
    (report,), _ = heard.events(Step(step=2, value=0.25))
    assert report == Reported(4, 2, 0.25)
    running.hold([report])
    assert heard.events(Step(step=2, value=0.25)) == ([], {})
    assert heard.events(Step(step=2, value=0.5))[0] == [Reported(4, 2, 0.5)]
    assert heard.events(Step(step=3, value=0.25))[0] == [Reported(4, 3, 0.25)]


def test_steps_are_of_the_search_only():
    assert heard(job("recheck"), Step(step=2, value=0.25)) == []


@pytest.mark.parametrize(("scheduled", "reports"), [(True, 1), (False, 0)])
def test_a_part_ends_at_its_step_with_a_report_where_trials_are_compared(scheduled, reports):
    part = job(until=3)
    assert is_part(part, SPEC)
    events = heard(part, Done(values={"loss": 0.5}, cpu_s=1.0, wall_s=2.0), scheduled=scheduled)
    assert events == [Reported(4, 3, 0.5)] * reports, "and no result yet"


def test_a_whole_trial_ends_with_its_value_and_what_else_it_said():
    done = Done(values={"loss": 0.5, "params": 7.0}, cpu_s=1.0, wall_s=2.0)
    assert heard(job(), done) == [Told(4, (0.5,), {"params": 7.0}, 1.0, 2.0)]


def test_another_stage_measures():
    done = Done(values={"loss": 0.5}, cpu_s=1.0, wall_s=2.0)
    assert heard(job("recheck"), done) == [
        Measured(4, "recheck", (0, 0, 0), 0.5, None, None, 1.0, 2.0)
    ]


def test_a_name_that_is_missing_fails_the_trial():
    (failed,) = heard(job(), Done(values={"lss": 0.5}, cpu_s=1.0, wall_s=2.0))
    assert isinstance(failed, Failed)
    assert failed.kind == "invalid"
    assert "lss" in failed.reason


def test_what_breaks_is_tried_again_as_often_as_the_limits_allow():
    lost = Broken(kind="lost", reason="no heartbeat")
    again = SPEC.limits.again("lost")
    assert again > 0
    assert [type(e) for e in heard(job(), lost)] == [Retried]
    assert [type(e) for e in heard(job(), lost, retries=["lost"] * again)] == [Failed]
    cancelled = Broken(kind="cancelled", reason="")
    assert heard(job(), cancelled) == [], "it is measured when the study is resumed"
    assert [type(e) for e in heard(job("recheck"), lost)] == [Broke]


def test_a_unit_is_measured_once():
    running = Running(job("recheck"))
    heard = Heard(SPEC, PAST, running, scheduled=False)
    message = Measurement(unit=(0, 0, 0), value=0.5, rows=b"\0\0\0\0")
    (measured,), blobs = heard.events(message)
    assert blobs == {measured.rows: b"\0\0\0\0"}
    running.hold([measured])
    assert heard.events(message) == ([], {})
    assert heard.events(Broken(kind="crashed", reason="late")) == ([], {}), "nothing was left"
