"""From the finished past to the verdict."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.lab import born, data_of, history_of, measured, spec_of

from assay.analysis.conclusion import conclude, detectable
from assay.analysis.selection import select
from assay.analysis.verdict import Action, Claim, Verdict
from assay.core import units
from assay.core.events import Asked, Frozen, Opened, Opening, Sealed, Selected, Told
from assay.core.history import fold
from assay.core.spec import Evidence
from assay.math.intervals import corrected_paired, paired_t

NOISY = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.2})
QUIET = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})
RULES = Evidence(confirms=4)


def verdict_of(spec, history, opened=None, **options):
    return Verdict.from_json(conclude(spec, history, opened, **options).verdict)


def confirmed(spec, gains, *, kept=1):
    """A study without data whose challenger has these gains on the confirming seeds."""
    confirms = units.confirms(spec)
    sign = spec.signs[0]
    ours = {unit: 1.0 - sign * gain for unit, gain in zip(confirms, gains, strict=True)}
    return history_of(
        spec,
        [1.0, 0.5],
        *NOISY,
        *measured(0, "control", {(0, 0, 1): 1.1, (0, 0, 2): 0.9}),
        Selected(kept, 1, "recheck+guard", "", []),
        *measured(0, "confirm", dict.fromkeys(confirms, 1.0)),
        *measured(1, "confirm", ours),
    )


@pytest.mark.parametrize("way", ["minimize", "maximize"])
def test_without_data_the_gain_is_that_on_the_confirming_seeds_alone(way):
    spec = spec_of(evidence=RULES, directions={"value": way})
    gains = [0.3, 0.2, 0.4, 0.3]
    found = verdict_of(spec, confirmed(spec, gains))
    expected = paired_t(gains, 0.95)
    assert found.claim is Claim.BETTER
    assert found.action is Action.USE_TUNED
    assert found.gain.estimate == pytest.approx(expected.estimate)
    assert (found.gain.low, found.gain.high) == pytest.approx((expected.low, expected.high))
    assert found.unit_text == "4 fresh seeds"


@pytest.mark.parametrize(
    ("gains", "smallest", "claim"),
    [
        ([0.3, 0.2, 0.4, 0.3], 0.1, Claim.BETTER),
        ([0.3, 0.2, 0.4, 0.3], 0.25, Claim.BETTER_MAYBE_TOO_LITTLE),
        ([0.01, -0.01, 0.02, -0.02], 0.1, Claim.EQUIVALENT),
        ([-0.3, -0.2, -0.4, -0.3], 0.1, Claim.WORSE),
        ([0.9, -0.8, 0.5, -0.6], 0.1, Claim.CANNOT_TELL),
    ],
)
def test_each_claim_and_only_better_means_use_it(gains, smallest, claim):
    spec = spec_of(evidence=RULES, smallest_gain=smallest)
    found = verdict_of(spec, confirmed(spec, gains))
    assert found.claim is claim
    assert (found.action is Action.USE_TUNED) == (claim is Claim.BETTER)


def test_when_the_guard_held_a_shown_gain_is_told_but_the_defaults_are_kept():
    spec = spec_of(evidence=RULES)
    found = verdict_of(spec, confirmed(spec, [0.3, 0.2, 0.4, 0.3], kept=0))
    assert found.claim is Claim.BETTER
    assert found.action is Action.KEEP_DEFAULTS
    assert "keeps the defaults" in found.sentence


def test_a_smaller_alpha_widens_the_interval():
    gains = [0.3, 0.2, 0.4, 0.3]
    wide, narrow = (
        verdict_of(spec, confirmed(spec, gains)).gain
        for spec in (spec_of(evidence=RULES, alpha=0.01), spec_of(evidence=RULES, alpha=0.2))
    )
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (wide.level, narrow.level) == (0.99, 0.8)


def test_a_deterministic_objective_has_an_exact_verdict():
    spec = spec_of(smallest_gain=0.1)
    for best, claim in ((0.5, Claim.BETTER), (0.95, Claim.EQUIVALENT), (1.5, Claim.WORSE)):
        history = history_of(spec, [1.0, best], *QUIET)
        history = fold([select(spec, history)], history)
        found = verdict_of(spec, history)
        assert found.claim is claim
        assert found.gain.low == found.gain.high == pytest.approx(1.0 - best)
        assert found.unit_text == "a deterministic objective"


def test_without_control_nothing_is_claimed():
    spec = spec_of(control=None)
    history = history_of(spec, [1.0, 0.5], control=False)
    history = fold([select(spec, history)], history)
    found = verdict_of(spec, history)
    assert (found.claim, found.action) == (None, None)
    assert "0.5" in found.sentence


def test_when_nothing_could_be_measured_again_no_gain_is_shown():
    spec = spec_of()
    history = history_of(spec, [1.0, 0.5], *NOISY)
    history = fold([Selected(0, 0, "recheck+guard", "", [])], history)
    found = verdict_of(spec, history)
    assert (found.claim, found.action) == (Claim.CANNOT_TELL, Action.KEEP_DEFAULTS)
    assert found.gain is None


# --- on data


def on_data(spec, fresh, *, kept=1):
    """A study on two folds; `fresh` are gains of trial 1 on the units of the recheck."""
    events = born(spec)
    for number in (0, 1):
        events.append(Asked(number, {"x": number / 3}, 0, "sampler" if number else "control"))
        found = {(0, f, 0): 1.0 - 0.5 * number + 0.1 * f for f in (0, 1)}
        events += [*measured(number, "search", found), Told(number, (1.05 - 0.5 * number,))]
    wanted = units.rechecks(spec)
    events += QUIET
    events += measured(0, "recheck", dict.fromkeys(wanted, 1.0))
    events += measured(1, "recheck", {u: 1.0 - g for u, g in zip(wanted, fresh, strict=True)})
    events.append(Selected(kept, 1, "recheck+guard", "", []))
    return events


DATA = spec_of(data=data_of(folds=2, ratio=1.0), evidence=Evidence(rechecks=4), smallest_gain=0.05)
FRESH = [0.3, 0.31, 0.29, 0.3]


def test_without_test_set_the_rechecks_speak_corrected_for_shared_rows():
    found = verdict_of(DATA, fold(on_data(DATA, FRESH)))
    assert found.gain.se == pytest.approx(corrected_paired(FRESH, 1.0, 0.95).se)
    assert found.gain.estimate == pytest.approx(np.mean(FRESH))
    assert found.badge != "CONFIRMATORY"


def test_without_test_set_the_guard_ends_the_matter():
    found = verdict_of(DATA, fold(on_data(DATA, FRESH, kept=0)))
    assert (found.claim, found.action) == (Claim.CANNOT_TELL, Action.KEEP_DEFAULTS)
    assert found.gain is None


def results(challenger=1, low=0.1, high=0.3):
    interval = {"estimate": 0.2, "low": low, "high": high, "se": 0.05, "df": None, "method": "m",
                "n": 40, "level": 0.95}  # fmt: skip
    score = {"score": 0.7, "low": 0.6, "high": 0.8, "scores": [0.7]}
    return {
        "metric": "value",
        "rows": 40,
        "contenders": {"0": score, str(challenger): {**score, "score": 0.5}},
        "gain": {**interval, "se_rows": 0.05, "se_seeds": 0.0, "challenger": challenger},
    }


def opened_study(*looks, note="", kept=1):
    first, *rest = on_data(DATA, FRESH, kept=kept)
    events = [first, Sealed("s", 40, "m", "0", "1", note), *rest, Frozen((0, 1), 1, DATA.plan)]
    for number, found in enumerate(looks, start=1):
        events += [Opening(number, "f", (0, 1), "why" if number > 1 else ""), Opened(number, found)]
    return fold(events)


@pytest.mark.parametrize(
    ("sees_nothing", "claim"), [(False, Claim.EQUIVALENT), (True, Claim.CANNOT_TELL)]
)
def test_a_test_in_which_the_metric_sees_nothing_shows_no_equivalence(sees_nothing, claim):
    found = results(low=0.0, high=0.0) | {"blind": sees_nothing}
    found["gain"] |= {"estimate": 0.0, "se": 0.0}
    verdict = verdict_of(DATA, opened_study(found))
    assert (verdict.claim, verdict.action) == (claim, Action.KEEP_DEFAULTS)
    assert ("cannot tell them apart" in verdict.sentence) == sees_nothing


def test_the_test_set_overrules_everything_before():
    found = verdict_of(DATA, opened_study(results()))
    assert found.claim is Claim.BETTER
    assert (found.gain.estimate, found.gain.low, found.gain.high) == (0.2, 0.1, 0.3)
    assert (found.control, found.selected) == (0.7, 0.5)
    assert found.unit_text == "40 unseen rows"
    assert (found.badge, found.look) == ("CONFIRMATORY", 1)
    found = verdict_of(DATA, opened_study(results(low=-0.4, high=-0.1)))
    assert found.claim is Claim.WORSE


def test_the_result_may_be_given_before_it_is_in_the_history():
    history = opened_study()
    history = fold([Opening(1, "f", (0, 1))], history)
    found = verdict_of(DATA, history, Opened(1, results()))
    assert found.claim is Claim.BETTER


def test_the_guard_holds_after_the_test_too():
    found = verdict_of(DATA, opened_study(results(), kept=0))
    assert (found.claim, found.action) == (Claim.BETTER, Action.KEEP_DEFAULTS)


def test_a_second_look_is_marked_for_ever():
    found = verdict_of(DATA, opened_study(results(), results()))
    assert found.look == 2
    assert found.badge != "CONFIRMATORY"
    assert "look number 2" in found.sentence


def test_rows_that_another_study_saw_are_never_confirmatory():
    found = verdict_of(DATA, opened_study(results(), note="41 % of these rows were used."))
    assert found.look == 2
    assert found.badge != "CONFIRMATORY"


def test_a_test_of_the_control_alone_shows_no_gain():
    found = verdict_of(DATA, opened_study(results(challenger=0)))
    assert (found.claim, found.action, found.gain) == (
        Claim.CANNOT_TELL,
        Action.KEEP_DEFAULTS,
        None,
    )


def test_a_refusal_to_open_is_part_of_the_verdict():
    found = verdict_of(DATA, fold(on_data(DATA, FRESH)), refused="These rows were used.")
    assert found.sentence.endswith("The test set stays closed: These rows were used.")


def test_values_of_the_search_are_never_printed_as_performance():
    spec = spec_of(evidence=RULES)
    assert verdict_of(spec, confirmed(spec, [0.1, 0.2, 0.1, 0.2])).selected is None
    assert verdict_of(DATA, fold(on_data(DATA, FRESH))).selected is None


def test_the_detectable_gain_needs_known_noise_and_several_fresh_units():
    spec = spec_of(evidence=RULES)
    assert detectable(spec, history_of(spec, [1.0])) is None
    history = confirmed(spec, [0.1, 0.2, 0.3, 0.4])
    assert detectable(spec, history) > 0
    one = spec_of(evidence=Evidence(rechecks=1))
    assert detectable(one, history) is None


def test_a_conclusion_survives_its_stored_form():
    spec = spec_of(evidence=RULES)
    concluded = conclude(spec, confirmed(spec, [0.3, 0.2, 0.4, 0.3]))
    assert Verdict.from_json(concluded.verdict).to_json() == concluded.verdict
