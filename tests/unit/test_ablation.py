"""Ablations of objectives whose truth is known, and of pipelines; budgets, draws, going on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import assay
from assay import Budget, Choice, Component, Float, Int, Space, When
from assay.analysis.ablation import (
    BORROWED,
    FRESH,
    Search,
    contrasts,
    contributions,
    flag_of,
)
from assay.api.ablation_searches import fitted
from assay.core.errors import SpecError, StateError
from assay.core.events import Ablated, Attributed, Varied
from assay.core.history import fold
from assay.core.spec import StudySpec
from assay.math.intervals import Interval
from assay.math.simultaneous import Adjusted
from assay.report.ablation import ablation_standing, ablation_view
from assay.report.phase import Standing, standing
from assay.stores.memory import MemoryStore

SPACE = Space(rate=Float(1e-3, 1.0, log=True, default=0.5))


def loss(trial):
    """`norm` only moves the best rate by a factor of 30; `skip` is worth 0.2 whatever the rate."""
    best = 0.3 if trial.config["norm"] else 0.01
    distance = np.log10(trial.config["rate"] / best)
    noise = np.random.default_rng(trial.seed).normal(0, 0.002)
    return 1 + 0.1 * distance**2 - 0.2 * trial.config["skip"] + noise


PARTS = [Component("norm"), Component("skip")]


def run(objective=loss, components=PARTS, **wishes):
    given = {"space": SPACE, "budget": 25, "fresh": 6, "smallest_gain": 0.02, "isolation": "none"}
    return assay.ablate(objective, components=components, **(given | wishes))


@pytest.fixture(scope="module")
def found():
    store = MemoryStore()
    return run(storage=store), store


def test_a_component_that_only_moves_the_optimum_is_a_tuning_effect(found):
    norm, skip = (found[0].effect(name) for name in ("norm", "skip"))
    assert norm["untuned"]["low"] > 0.1
    assert abs(norm["retuned"]["estimate"]) < 0.01
    assert norm["flag"] == "not needed"
    assert "tuning effect, not a contribution" in norm["sentence"]
    assert skip["retuned"]["estimate"] == pytest.approx(0.2, abs=0.02)
    assert skip["flag"] == "contributes"
    for effect in (norm, skip):
        u, r, m = (effect[k]["estimate"] for k in ("untuned", "retuned", "misattribution"))
        assert m == pytest.approx(u - r)


def test_the_shift_of_the_optimum_is_found(found):
    (shift,) = found[0].effect("norm")["shifts"]
    assert shift["parameter"] == "rate"
    assert shift["with"] / shift["without"] > 8
    assert shift["high"] < 0
    assert shift["shares"][2] > 0.3


def test_every_variant_is_a_study_with_the_same_budget_splits_and_draws(found):
    ablation, store = found
    log = ablation.study.history.milestones()
    variants = [e for e in log if isinstance(e, Varied)]
    assert [e.study for e in variants[::3]] == [
        "ablation/full#1", "ablation/-norm#1", "ablation/-skip#1",
    ]  # fmt: skip
    rates = {}
    for event in variants:
        past = fold(store.read(event.study))
        assert past.n_trials == 25
        rates[event.study] = [
            past.config(n)["rate"] for n in range(25) if past.origin(n) == "sampler"
        ]
    assert rates["ablation/full#1"][-20:] == rates["ablation/-norm#1"][-20:]
    assert rates["ablation/full#1"][-20:] != rates["ablation/full#2"][-20:]


def test_the_search_begins_with_the_defaults_and_the_best_of_the_whole(found):
    _, store = found
    whole, part = (fold(store.read(f"ablation/{name}#1")) for name in ("full", "-norm"))
    best = min(range(25), key=lambda n: whole.outcome(n).values[0])
    assert part.config(0)["rate"] == 0.5
    assert part.trial(1).why["source"] == BORROWED
    assert part.config(1)["rate"] == whole.config(best)["rate"]
    assert part.config(1)["norm"] is False


def test_scores_are_on_units_that_no_search_used(found):
    _, store = found
    for name in ("full", "-norm"):
        past = fold(store.read(f"ablation/{name}#1"))
        for number in past.measured:
            assert len(past.units(number, FRESH)) == 6
            assert (0, 0, 0) not in past.units(number, FRESH)


def test_the_same_call_reads_the_result_and_another_plan_is_refused(found):
    ablation, store = found
    rows = len(store.rows("ablation"))
    assert run(storage=store).result == ablation.result
    assert len(store.rows("ablation")) == rows
    with pytest.raises(SpecError, match="taken by another ablation"):
        run(storage=store, budget=26)
    assert len(store.rows("ablation")) == rows


def test_another_budget_for_a_variant_is_refused_by_the_log(found):
    ablation, _ = found
    events = ablation.study.history.milestones()
    varied = next(e for e in events if isinstance(e, Varied))
    cheat = replace_struct(varied, study="ablation/cheat", budget={**varied.budget, "trials": 50})
    with pytest.raises(StateError, match="every variant of an ablation has the same"):
        ablation.study.ledger.decide(lambda _: [cheat])
    with pytest.raises(StateError, match="not planned"):
        ablation.study.ledger.decide(lambda _: [replace_struct(varied, ablation="x", study="y")])
    with pytest.raises(StateError, match="has its result already"):
        done = next(e for e in events if isinstance(e, Attributed))
        ablation.study.ledger.decide(lambda _: [done])


def replace_struct(event, **changes):
    import msgspec

    return msgspec.structs.replace(event, **changes)


def test_it_goes_on_where_it_was_stopped():
    store, calls = MemoryStore(), []

    def stopping(trial):
        calls.append(trial.number)
        if len(calls) == 90:
            raise KeyboardInterrupt
        return loss(trial)

    with pytest.raises(KeyboardInterrupt):
        run(stopping, storage=store)
    again = run(stopping, storage=store)
    assert again.result["effects"] == run().result["effects"]
    assert len(calls) <= 3 * 3 * (25 + 12) + 2


def test_the_result_is_plain_json_and_the_report_shows_it(found):
    ablation, _ = found
    json.dumps(ablation.result, allow_nan=False)
    page = ablation.report()
    assert "What each component contributes" in page
    assert "tuning effect, not a contribution" in page
    assert page.count("<svg") >= 6
    dumbbell, curves, responses = ablation_view(ablation.result).figures
    for effect, row in zip(ablation.result["effects"], dumbbell.table.rows, strict=True):
        assert row[0] == effect["component"]
        assert len(row) == 4
    for drawing in (dumbbell.wide, dumbbell.narrow):
        assert drawing.count("span-link") == len(dumbbell.table.rows), "each pair is joined"
        assert drawing.count("span-band") == len(dumbbell.table.rows), (
            "what is too little to matter"
        )
    assert len(curves.table.rows) == len(ablation.result["variants"])
    assert responses.wide.count('class="line') == 2 * len(responses.table.rows)
    assert "re-tuned" in str(ablation)


def test_maximised_objectives_give_the_same_effects():
    up = run(lambda t: -loss(t), direction="maximize").effect("skip")
    assert up["retuned"]["estimate"] == pytest.approx(0.2, abs=0.02)


def test_a_variant_that_cannot_run_is_a_finding_and_not_the_end():
    def fragile(trial):
        if not trial.config["norm"]:
            raise ValueError("it diverged. You might want to consider another life. " + "x" * 900)
        return loss(trial)

    effect = run(fragile).effect("norm")
    assert effect["retuned"] is None
    assert effect["flag"] == "not measured"
    assert "nothing could be trained" in effect["sentence"]
    assert "(ValueError: it diverged), so its effect has no number." in effect["sentence"]


def test_settings_of_the_whole_that_fail_in_a_variant_leave_the_retuned_effect():
    def steep(trial):
        if not trial.config["norm"] and trial.config["rate"] > 0.1:
            raise ValueError("it diverged")
        return loss(trial)

    effect = run(steep).effect("norm")
    assert effect["untuned"] is None
    assert effect["misattribution"] is None
    assert effect["flag"] == "not needed"


def test_the_whole_system_must_be_trainable():
    def broken(trial):
        raise ValueError("no data")

    with pytest.raises(StateError, match=r"cannot be trained.*no data"):
        run(broken)


@pytest.mark.parametrize(
    ("design", "names"),
    [
        ("add-one-in", ["none", "-skip", "-norm"]),
        ("factorial", ["full", "-skip", "-norm", "none"]),
        ("path", ["full", "-norm", "-skip", "none"]),
    ],
)
def test_other_designs(design, names):
    found = run(design=design, searches=1).result
    assert [v["name"] for v in found["variants"]] == names
    effects = {e["component"]: e["retuned"]["estimate"] for e in found["effects"]}
    assert effects["skip"] == pytest.approx(0.2, abs=0.03)
    if design == "path":
        assert [(e["with"], e["without"]) for e in found["effects"]] == [
            ("full", "-norm"), ("-norm", "none"),
        ]  # fmt: skip
    if design == "factorial":
        shares = found["factors"]["shapley"]
        whole, none = (
            next(v["score"] for v in found["variants"] if v["name"] == n) for n in ("full", "none")
        )
        assert sum(shares.values()) == pytest.approx(none - whole)
        assert found["factors"]["main"]["skip"]["estimate"] == pytest.approx(0.2, abs=0.03)


def test_spaces_of_components_come_and_go():
    def sees(trial):
        assert ("momentum" in trial.config) == (trial.config["optimiser"] == "sgd")
        return loss_of(trial.config["rate"])

    def loss_of(rate):
        return (np.log10(rate) + 1) ** 2

    part = Component(
        "optimiser", on="adam", off="sgd", space_off={"momentum": Float(0, 0.99, default=0.9)}
    )
    found = run(sees, [part], searches=1, budget=8)
    assert found.result["roles"]["nuisance"] == {
        "full": ["rate"],
        "-optimiser": ["rate", "momentum"],
    }
    assert "searched once" in str(found)


def test_a_study_is_ablated_in_its_own_log():
    study = assay.optimize(
        loss,
        Space(rate=SPACE["rate"], norm=assay.Choice([True, False], default=True),
              skip=assay.Choice([True, False], default=True)),
        budget=10, isolation="none", smallest_gain=0.02,
    )  # fmt: skip
    first = study.ablate([Component("skip")], isolation="none", searches=1, fresh=4)
    second = study.ablate([Component("norm")], isolation="none", searches=1, fresh=4)
    events = [type(e) for e in study.history.milestones()]
    assert events.count(Ablated) == events.count(Attributed) == 2
    assert first.result["variants"][0]["searches"][0]["study"] == "study/full"
    assert second.result["variants"][0]["searches"][0]["study"] == "study/2/full"
    assert study.verify() == []
    assert "Ablation, leave-one-out" in study.report()
    opened = assay.open_study(study.store, "study")
    with pytest.raises(StateError, match="opened from its storage"):
        opened.ablate([Component("skip")])


def test_what_fits_of_a_config_is_lent():
    space = Space(a=Int(1, 5, default=2), b=Float(0, 1), c=assay.Choice(["x"], default="x"))
    assert fitted(space, {"a": 9, "b": 0.5, "gone": 1}) == {"a": 2, "b": 0.5, "c": "x"}
    assert fitted(space, {"a": 3}) is None


def adjusted(low, high):
    return Adjusted(Interval((low + high) / 2, low, high, 0.1, 9.0, "t", 10), 0.5)


@pytest.mark.parametrize(
    ("u", "r", "m", "flag"),
    [
        ((0.1, 0.2), (-0.2, -0.1), (0.2, 0.4), "sign flip"),
        ((0.1, 0.2), (-0.005, 0.005), (0.1, 0.2), "not needed"),
        ((-0.01, 0.01), (-0.2, -0.1), (0.1, 0.2), "harmful"),
        ((0.3, 0.4), (0.05, 0.1), (0.2, 0.35), "overstated"),
        ((0.05, 0.1), (0.3, 0.4), (-0.35, -0.2), "understated"),
        ((0.1, 0.2), (0.1, 0.2), (-0.01, 0.01), "contributes"),
        ((0.1, 0.2), (-0.1, 0.2), (-0.1, 0.2), "cannot tell"),
    ],
)
def test_flags(u, r, m, flag):
    assert flag_of(adjusted(*u), adjusted(*r), adjusted(*m), 0.01) == flag


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"searches": 0}, "searches"),
        ({"fresh": 1}, "fresh"),
        ({"design": "some"}, "leave-one-out"),
        ({"space": None}, "space="),
        ({"components": [Component("x", step="scaler")]}, "an objective has not"),
        ({"budget": Budget(trials=5), "sampler": "rndom"}, "random"),
        ({"budget": 2}, "at least 3 trials"),
        ({"metric": "r2"}, "metric=… is for an estimator"),
        ({"groups": [1]}, "groups=… is for an estimator"),
        ({"components": [Component("rate")]}, "has the name of a parameter, which cannot be True"),
    ],
)
def test_mistakes_are_told(wishes, says):
    with pytest.raises(SpecError, match=says):
        run(**wishes)


def test_searches_that_found_nothing_are_left_out_and_said():
    def rare(trial):
        if not trial.config["norm"] and not 0.001 < trial.config["rate"] < 0.002:
            raise ValueError("it diverged")
        return loss(trial)

    found = run(rare, budget=8)
    norm = next(v for v in found.result["variants"] if v["name"] == "-norm")
    empty = [s for s in norm["searches"] if s["trial"] is None]
    assert 0 < len(empty) < 3, "or the example shows nothing"
    effect = found.effect("norm")
    assert effect["retuned"] is not None
    assert effect["flag"] != "not measured"
    assert any(f"{len(empty)} of 3 searches of variant -norm" in n for n in found.result["notes"])


def searched(scores, best=0):
    units = {(0, 0, i): float(s) for i, s in enumerate(scores)}
    return Search((1.0,), ({},), ("sampler",), best, units, units, 1.0, 1)


def test_intervals_hold_together_also_where_variants_have_fewer_searches():
    rng = np.random.default_rng(0)
    spec = StudySpec(SPACE, {"value": "minimize"}, alpha=0.05)
    parts = [Component("a"), Component("b")]
    full, no_a, no_b = frozenset("ab"), frozenset("b"), frozenset("a")
    measured = {v: [searched(rng.normal(size=8)) for _ in range(3)] for v in (full, no_a, no_b)}
    empty = Search((None,), ({},), ("sampler",), None, {}, {}, 1.0, 1)
    fewer = {**measured, no_b: [*measured[no_b][:2], empty]}
    pairs = contrasts(parts, "leave-one-out", [full, no_a, no_b])
    found = contributions(spec, parts, pairs, fewer, reference=full)
    alone = contributions(replace(spec, alpha=0.025), parts, pairs[1:], fewer, reference=full)
    for one, other in zip(found[1:], alone, strict=True):
        assert one.retuned.interval.low == pytest.approx(other.retuned.interval.low)
        assert one.retuned.interval.level == 0.95
        assert one.retuned.p == pytest.approx(min(2 * other.retuned.p, 1))


def test_what_has_no_effect_at_all_is_said_so():
    found = run(components=[Component("idle"), *PARTS], searches=1, budget=6)
    said = found.effect("idle")["sentence"]
    assert said.startswith("Without re-tuning, removing the idle changes nothing.")
    assert "no difference at all" in said


def test_what_replaces_or_is_added_is_called_so():
    def f(trial):
        return loss_of(trial.config) + (0.3 if trial.config["optimiser"] == "sgd" else 0)

    def loss_of(config):
        return np.log10(config["rate"]) ** 2

    part = [Component("optimiser", on="adam", off="sgd")]
    said = run(f, part, searches=1, budget=5).effect("optimiser")["sentence"]
    assert "putting sgd in place of adam seems to cost 0.30" in said
    assert said.endswith("adam is better.")
    added = run(components=[Component("norm"), Component("skip")], design="add-one-in", searches=1)
    said = added.effect("skip")["sentence"]
    assert "adding the skip seems to gain" in said
    assert "it still gains" in said


def test_the_table_has_all_three_numbers_and_the_energy(found):
    ablation, _ = found
    text = str(ablation)
    for word in ("untuned", "re-tuned", "was tuning", "verdict", "energy"):
        assert word in text
    assert all(v["kwh"] > 0 for v in ablation.result["variants"])
    assert 'class="faint-0"' in ablation_view(ablation.result).figures[1].wide


def test_several_objectives_are_judged_by_the_first_and_that_is_said():
    found = run(
        lambda t: {"loss": loss(t), "size": 1.0},
        direction={"loss": "minimize", "size": "minimize"}, searches=1, budget=5,
    )  # fmt: skip
    assert any(n == "Judged by loss alone; not looked at: size." for n in found.result["notes"])


def test_an_ablation_stands_as_one_and_not_as_a_study_without_trials(found):
    ablation, store = found
    spec, history = ablation.study.spec, ablation.study.history
    assert standing(spec, history) == Standing("finished", 9, 9)
    half = fold(store.read("ablation")[:6])
    assert standing(spec, half).phase == "search"
    assert standing(spec, half).total is None
    claim, card = ablation_standing(history)
    assert (claim, card) == ("ABLATION", "Contributes: skip. Not needed: norm.")


def test_parameters_of_a_component_are_checked():
    with pytest.raises(SpecError, match=r"space_off has 'rate' as \(0, 1\)"):
        Component("a", space_off={"rate": (0, 1)})
    with pytest.raises(SpecError, match="space_on needs parameters by name"):
        Component("a", space_on=[Float(0, 1)])


def test_a_component_may_hold_a_parameter_at_one_of_two_of_its_values():
    found = run(
        lambda t: (np.log10(t.config["rate"]) + 1) ** 2, [Component("rate", on=0.1, off=1.0)],
        space=Space(rate=SPACE["rate"], other=Float(0, 1, default=0.5)), searches=1, budget=4,
    )  # fmt: skip
    assert found.effect("rate")["retuned"]["estimate"] == pytest.approx(1.0)


def test_what_depends_on_a_held_parameter_is_searched_only_where_it_can_be_active():
    space = Space(
        optimiser=Choice(["adam", "sgd"], default="adam"),
        rate=SPACE["rate"],
        momentum=When("optimiser", "sgd", Float(0, 0.99, default=0.5)),
    )
    found = run(
        lambda t: (np.log10(t.config["rate"]) + 1) ** 2 + t.config.get("momentum", 1.0),
        [Component("optimiser", on="adam", off="sgd")], space=space, searches=1, budget=4,
    )  # fmt: skip
    searched = found.result["roles"]["nuisance"]
    assert searched == {"full": ["rate"], "-optimiser": ["rate", "momentum"]}


WORTH = {"a": 0.3, "b": 0.1, "c": 0.0, "d": -0.05}


def four(trial):
    """Worth of its own for each component, and 0.08 more where a and b are both on."""
    on = {name for name in WORTH if trial.config[name]}
    noise = np.random.default_rng(trial.seed).normal(0, 0.002)
    return (
        -sum(WORTH[n] for n in on) - 0.08 * ({"a", "b"} <= on) + noise + trial.config["rate"] / 50
    )


FOUR = [Component(name) for name in WORTH]


def test_the_steps_of_a_path_are_those_that_were_taken():
    found = run(four, FOUR, design="path", budget=4, searches=1, smallest_gain=0.01)
    steps = [(e["component"], e["with"], e["without"]) for e in found.result["effects"]]
    assert steps == [
        ("d", "full", "-d"), ("c", "-d", "-c-d"), ("b", "-c-d", "+a"), ("a", "+a", "none"),
    ]  # fmt: skip
    assert found.effect("a")["retuned"]["estimate"] == pytest.approx(0.3, abs=0.01)
    assert found.effect("b")["retuned"]["estimate"] == pytest.approx(0.18, abs=0.01)


def test_what_is_rounding_is_no_interaction():
    found = run(four, FOUR, design="factorial", budget=3, searches=1, smallest_gain=0.01).result
    by_pair = {(a, b): (x, q) for a, b, x, q in found["factors"]["interactions"]}
    assert by_pair.pop(("a", "b"))[0] == pytest.approx(0.08)
    assert set(by_pair.values()) == {(0.0, 1.0)}
    assert found["factors"]["shapley"]["a"] == pytest.approx(0.34)


def test_a_fraction_speaks_of_main_effects():
    found = run(four, FOUR, design="fraction", budget=3, searches=1, smallest_gain=0.01)
    text = " ".join(str(found).split())
    assert "Over all combinations of the others the a gains 0.340" in text
    assert "the c changes nothing that matters" in text
    assert "the d costs 0.05" in text
    assert "untuned" not in text, "no two variants differ in one component"
    _, card = ablation_standing(found.study.history)
    assert card == "Contributes: a, b. Harmful: d. Not needed: c."
    assert "Over all combinations" in found.report()
    with pytest.raises(SpecError, match="main effects are in"):
        found.effect("a")


def test_a_budget_in_which_nothing_was_tuned_is_remarked():
    for looks, remarked in ((2, True), (6, False)):
        notes = run(budget=Budget(looks=looks), searches=1).result["notes"]
        assert any("nothing was tuned" in note for note in notes) is remarked
