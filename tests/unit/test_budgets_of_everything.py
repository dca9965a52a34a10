"""Budgets of energy, CO2, money and hours: counted from the log, global, with the evidence kept safe."""

from __future__ import annotations

import json
from time import process_time

import numpy as np
import pytest

import assay
from assay import Budget, Float, Rates, Space
from assay.analysis.spending import limits, refusal, spending
from assay.core.errors import SpecError, StateError
from assay.core.events import Asked, Created, Exhausted, Metered, Told
from assay.core.history import fold
from assay.core.spec import StudySpec
from assay.math.cost_model import CostModel
from assay.meters.choice import Reader, meters
from assay.meters.command import Command
from assay.meters.rapl import Rapl
from assay.meters.readings import joules_between, number_in
from assay.meters.regions import region, regions
from assay.report.record import energy

SPACE = Space(x=Float(0, 1, default=0.5))
DEAR = Rates(watts=100.0, g_per_kwh=400.0, price_per_kwh=0.5, price_per_cpu_hour=2.0, meter="model")


def spec(**limits):
    return StudySpec(SPACE, {"value": "minimize"}, budget=Budget(**limits), rates=DEAR)


def past(plan, costs, *, xs=None):
    """A log whose trials took these CPU seconds."""
    events = [Created(plan.to_json(), plan.plan)]
    for number, cost in enumerate(costs):
        x = xs[number] if xs else 0.5
        events.append(Asked(number, {"x": x}, len(events)))
        events.append(Told(number, (1.0,), None, float(cost), 2.0 * cost))
    return events


def test_the_account_is_linear_in_what_was_measured():
    plan = spec(trials=9)
    found = spending(plan, fold(past(plan, [1800, 1800])))
    assert found.cpu_s == 3600
    assert found.kwh == pytest.approx(0.1)
    assert found.kgco2e == pytest.approx(0.04)
    assert found.money == pytest.approx(0.5 * 0.1 + 2.0)
    assert found.error == pytest.approx(0.4)


def test_each_limit_says_what_was_used_of_it():
    plan = spec(trials=9, looks=20, cpu_hours=2.0, kwh=1.0, money=8.0)
    found = limits(plan, plan.budget, fold(past(plan, [1800, 1800])))
    assert [(x.name, x.most) for x in found] == [
        ("trials", 9), ("looks", 20), ("cpu_hours", 2), ("kwh", 1), ("money", 8)
    ]  # fmt: skip
    assert [x.used for x in found] == pytest.approx([2, 2, 1.0, 0.1, 2.05])
    assert limits(plan, None, fold(past(plan, [1]))) == ()


def test_two_workloads_cost_in_the_ratio_of_their_cpu_time():
    plan = spec(trials=9)
    one, three = (spending(plan, fold(past(plan, c))).kwh for c in ([100], [100, 200]))
    assert three / one == pytest.approx(3.0)


def test_what_a_meter_counted_replaces_the_estimate_and_a_gap_is_estimated():
    plan = spec(trials=9)
    log = past(plan, [1800, 1800])
    part = spending(plan, fold([*log, Metered("meter", 0.2, 60.0, 1800.0)]))
    assert part.kwh == pytest.approx(0.2 + 0.05)
    assert part.measured_kwh == 0.2
    assert part.error == pytest.approx(0.4 * 0.05 / 0.25)
    whole = spending(plan, fold([*log, Metered("meter", 0.3, 60.0, 3600.0)]))
    assert whole.kwh == pytest.approx(0.3)
    assert whole.error is None
    assert "measured" in energy(whole)
    assert "±40 %" in energy(spending(plan, fold(log)))


@pytest.mark.parametrize("wrong", [float("nan"), -1.0, float("inf")])
def test_a_meter_cannot_count_nonsense(wrong):
    with pytest.raises(StateError, match="cannot have counted"):
        fold([*past(spec(trials=9), [1]), Metered("meter", wrong, 1.0, 1.0)])


@pytest.mark.parametrize(
    ("limit", "one"),
    [("cpu_hours", 100 / 3600), ("kwh", 100 * 100 / 3.6e6), ("kgco2e", 100 * 100 / 3.6e6 * 0.4),
     ("money", 100 * 100 / 3.6e6 * 0.5 + 2 * 100 / 3600)],
)  # fmt: skip
def test_the_search_ends_before_the_trial_that_would_cross(limit, one):
    costs = [100.0] * 6
    fits, crosses = (spec(**{limit: factor * one}) for factor in (7.5, 6.9))
    assert refusal(fits, fold(past(fits, costs)), {"x": 0.5}) == ""
    said = refusal(crosses, fold(past(crosses, costs)), {"x": 0.5})
    assert f"{limit}" in said
    assert "is spent" in said


def test_a_dear_config_is_refused_where_a_cheap_one_is_not():
    xs = np.linspace(0, 1, 12).tolist()
    costs = [10 ** (1 + x) for x in xs]  # 10 to 100 seconds
    plan = spec(cpu_hours=(sum(costs) + 40) / 3600)
    history = fold(past(plan, costs, xs=xs))
    assert refusal(plan, history, {"x": 0.05}) == ""
    assert refusal(plan, history, {"x": 0.95})


def test_running_trials_are_counted():
    plan = spec(cpu_hours=750 / 3600)
    log = past(plan, [100.0] * 6)
    assert refusal(plan, fold(log), {"x": 0.5}) == ""
    assert refusal(plan, fold([*log, Asked(6, {"x": 0.5}, len(log))]), {"x": 0.5})


def test_a_study_stops_within_its_budget_and_keeps_its_evidence():
    """Each trial takes a known time, by the clock of the study's own log."""

    def slow(trial):
        end = process_time() + 0.02
        while process_time() < end:
            sum(range(1000))
        return (trial.config["x"] - 0.3) ** 2 + np.random.default_rng(trial.seed).normal(0, 0.01)

    limit = 1.2 / 3600
    study = assay.optimize(
        slow, SPACE, budget=Budget(trials=500, cpu_hours=limit), isolation="none", sampler="random",
        rates=Rates(meter="model"),
    )  # fmt: skip
    assert study.history.last(Exhausted) is not None
    assert 5 < study.history.n_trials < 60
    assert study.verdict is not None
    total = spending(study.spec, study.history).cpu_s
    assert total < 1.2 * 1.15
    assert study.verify() == []


def test_the_reserve_is_not_eaten_by_the_search():
    with_evidence = StudySpec(
        SPACE, {"value": "minimize"}, budget=Budget(cpu_hours=1.0, reserve=0.5), rates=DEAR,
        control={"x": 0.5}, evidence=assay.Evidence(rechecks=1, confirms=1, top=1),
    )  # fmt: skip
    log = [Created(with_evidence.to_json(), with_evidence.plan)]
    for number in range(8):
        log += [Asked(number, {"x": 0.5}, len(log)), Told(number, (1.0,), None, 200.0, 200.0)]
    said = refusal(with_evidence, fold(log), {"x": 0.5})
    assert "0.5 is kept for the evidence" in said


def test_older_plans_keep_their_hashes_and_newer_ones_come_back():
    assert "kwh" not in Budget(trials=3).to_json()
    assert "reserve" not in Budget(trials=3).to_json()
    plan = spec(kwh=0.5, reserve=0.4)
    again = StudySpec.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.plan == plan.plan
    bare = StudySpec(SPACE, {"value": "minimize"}, budget=Budget(trials=3))
    assert "rates" not in bare.to_json()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: StudySpec(SPACE, {"v": "minimize"}, budget=Budget(money=1)), "price_per_kwh"),
        (lambda: StudySpec(SPACE, {"v": "minimize"}, budget=Budget(kgco2e=1)), "region"),
        (lambda: StudySpec(SPACE, {"v": "minimize"}, budget=Budget(gpu_hours=1)), "gpus"),
        (lambda: Budget(kwh=0), "kwh"),
        (lambda: Budget(kwh=1, reserve=1.0), "reserve"),
        (lambda: Budget(reserve=0.5), "at least one limit"),
        (lambda: Rates(watts=-1), "watts"),
        (lambda: Rates(pue=0.5), "pue"),
        (lambda: Rates.from_json({"wats": 3}), "'watts'"),
        (lambda: region("Atlantis"), "g_per_kwh"),
        (lambda: meters("rapple"), "'rapl'"),
        (lambda: meters("command:"), "command: LINE"),
        (lambda: meters("command: false"), "cannot be read here"),
    ],
)
def test_what_cannot_be_counted_is_refused(make, says):
    with pytest.raises(SpecError, match=says):
        make()


def test_costs_are_learnt_on_a_log_scale():
    rng = np.random.default_rng(0)
    x = rng.random((60, 2))
    cost = np.exp(1 + 3 * x[:, 0] + rng.normal(0, 0.2, 60))
    model = CostModel.of(x, cost)
    new = rng.random((400, 2))
    true = np.exp(1 + 3 * new[:, 0] + rng.normal(0, 0.2, 400))
    below = np.mean([t <= model.predicted(p, upper=True) for p, t in zip(new, true, strict=True)])
    assert 0.84 <= below <= 0.96
    ratio = [model.predicted(p) / np.exp(1 + 3 * p[0]) for p in new]
    assert 0.85 < np.median(ratio) < 1.15


def test_a_reading_that_fails_is_missing_and_never_zero():
    class Flaky:
        name = "flaky"

        def __init__(self):
            self.shows = iter([{"a": 1.0}, {"a": 3.6e6 + 1}, {}, {"a": 9e6}, {"a": 9e6 + 3.6e6}])

        def joules(self):
            return next(self.shows)

        def wraps(self):
            return {}

    reader = Reader(Flaky())
    reader.start()
    assert reader.kwh() == pytest.approx(1.0)
    assert reader.kwh() is None
    assert reader.kwh() is None  # it began at a reading that failed
    assert reader.kwh() == pytest.approx(1.0)


def test_counters():
    assert joules_between({"a": 1, "b": 2}, {"a": 2, "b": 4}, {}) == 3
    assert joules_between({"a": 1}, {"b": 2}, {}) is None
    assert joules_between({}, {}, {}) is None
    assert joules_between({"a": 5}, {"a": 1}, {"a": 3}) is None
    assert number_in("-3") is None
    assert number_in("12") == 12


def test_rapl_reads_packages_and_memory_once_and_nothing_else(tmp_path):
    for name, label, uj in (
        ("intel-rapl:0", "package-0", "5000000"),
        ("intel-rapl:0:0", "core", "3000000"),
        ("intel-rapl:0:1", "dram", "1000000"),
        ("intel-rapl:1", "psys", "9000000"),
    ):
        zone = tmp_path / name
        zone.mkdir()
        (zone / "name").write_text(label)
        (zone / "energy_uj").write_text(uj + "\n")
        (zone / "max_energy_range_uj").write_text("262143328850")
    assert Rapl(tmp_path).joules() == {"intel-rapl:0": 5.0, "intel-rapl:0:1": 1.0}
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("permission")
    assert Rapl(tmp_path).joules() == {"intel-rapl:0:1": 1.0}
    assert Rapl(tmp_path / "nowhere").joules() == {}


def test_a_meter_command_is_read_while_a_study_runs(tmp_path, monkeypatch):
    from assay.api import metering

    monkeypatch.setattr(metering, "_EACH_S", 0.0)
    count = tmp_path / "count"
    count.write_text("0")
    line = f"n=$(cat {count}); echo $((n + 3600000)) > {count}; cat {count}"
    assert Command(line).joules() == {"meter": 3600000.0}
    study = assay.optimize(
        lambda t: t.config["x"], SPACE, budget=4, evidence=None, isolation="none",
        rates=Rates(meter=f"command: {line}"),
    )  # fmt: skip
    metered = [e for e in study.history.milestones() if isinstance(e, Metered)]
    assert metered
    assert all(e.kwh == pytest.approx(1.0) for e in metered)
    assert spending(study.spec, study.history).measured_kwh == pytest.approx(len(metered))
    assert "Wh (" in study.report()
    assert study.verify() == []


def test_the_region_table_is_whole():
    table = regions()
    assert len(table) > 200
    assert all(0 < r.g_per_kwh < 1400 and 2000 <= r.year <= 2025 for r in table.values())
    assert region("Germany") == region("deu")
    assert region("FRA").g_per_kwh < region("DEU").g_per_kwh < region("IND").g_per_kwh


def test_a_region_is_settled_into_the_plan():
    study = assay.optimize(
        lambda t: t.config["x"], SPACE, budget=Budget(trials=3, kgco2e=1), evidence=None,
        isolation="none", rates=Rates(region="norway", meter="model"),
    )  # fmt: skip
    form = study.spec.to_json()["rates"]
    assert form["region"] == "NOR"
    assert form["g_per_kwh"] == region("NOR").g_per_kwh
    assert form["year"] == region("NOR").year
