"""What schedulers keep between calls, and what they leave alone."""

from __future__ import annotations

from assay import Float, Space
from assay.core.events import Asked, Created, Reported
from assay.core.fidelity import Fidelity
from assay.core.history import fold
from assay.core.runs import Run
from assay.schedulers.asha import AshaStopping
from assay.schedulers.field import Field
from assay.schedulers.rungs import Rungs
from assay.stores.checkpoints import Checkpoints

RUNGS = Rungs(Fidelity("epochs", 1, 27), 1.0, 3)


def paused(trial, loss, *, protected=False):
    return Run(trial, "paused", 1, 1, ((1, loss),), protected=protected)


def field():
    return Field(lambda _: 0, lambda _: RUNGS)


def test_who_changed_is_sorted_in_anew():
    runs = [paused(n, float(n)) for n in range(5)]
    kept = field().follow(runs)
    assert kept.rank(0, 0, 1).order.places == [(float(n), n) for n in range(5)]
    runs[3] = paused(3, -1.0)
    runs[0] = Run(0, "running", 3, 1, ((1, 0.0),))
    rank = kept.follow(runs).rank(0, 0, 1)
    assert rank.order.places == [(-1.0, 3), (0.0, 0), (1.0, 1), (2.0, 2), (4.0, 4)]
    assert [trial for _, trial in rank.order.waiting] == [3, 1, 2, 4]
    assert rank.order.lost(3) == [2, 4]
    assert kept.steps(0, 0) == [1]


def test_other_studies_and_earlier_ones_start_from_nothing():
    kept = field().follow([paused(0, 9.0, protected=True), *(paused(n, 1.0) for n in range(1, 6))])
    assert kept.size == 5
    assert kept.follow([paused(n, 1.0) for n in range(6)]).size == 6
    assert kept.follow([paused(n, 1.0) for n in range(2)]).size == 2
    assert kept.rank(0, 0, 1).order.places == [(1.0, 0), (1.0, 1)]


def test_of_one_report_only_its_trial_is_looked_at(monkeypatch):
    looked = []
    came = Rungs.came
    monkeypatch.setattr(Rungs, "came", lambda *a: looked.append(a[1].trial) or came(*a))
    scheduler = AshaStopping(RUNGS.fidelity)
    runs = [Run(n, "running", 27, 1, ((1, float(n)),)) for n in range(100)]
    scheduler.judge(runs, 99)
    looked.clear()
    runs[40] = Run(40, "running", 27, 1, ((1, -1.0),))
    scheduler.judge(runs, 40)
    assert looked == [40]


def test_who_changed_before_an_append_that_failed_is_seen_all_the_same():
    space = Space(x=Float(0, 1), fidelity=RUNGS.fidelity)
    asked = [Created({"space": space.to_json()}, "plan"), Asked(0, {"x": 0.1}, 0)]
    begun = fold([*asked, Asked(1, {"x": 0.2}, 0)])
    assert [run.step for run in begun.runs()] == [0, 0]
    known = fold([Reported(0, 1, 0.5)], begun)
    fold([Reported(1, 1, 0.7), Asked(2, {"x": 0.3}, 0)], known)  # another writer was first
    assert [run.step for run in known.apart().runs()] == [1, 0]


def test_a_checkpoint_that_was_dropped_can_be_begun_and_dropped_again(tmp_path):
    kept = Checkpoints(tmp_path)
    for _ in range(2):
        work = kept.begin(3, 1)
        kept.drop(3)
        assert not work.exists()
        kept.drop(3)
