"""Five claims, one for each interval, and the words they are told in."""

import json
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis import ablation_words
from assay.analysis.verdict import (
    Action,
    Claim,
    Verdict,
    action_for,
    claim,
    judge,
    no_control,
    no_gain_shown,
    no_test_set,
    sentence,
)
from assay.analysis.wording import Basis, Numbers, units_to_settle
from assay.core.decimals import fixed
from assay.core.errors import SpecError
from assay.math.intervals import Interval

RANK = {
    Claim.WORSE: 0,
    Claim.CANNOT_TELL: 1,
    Claim.EQUIVALENT: 1,
    Claim.BETTER_MAYBE_TOO_LITTLE: 2,
    Claim.BETTER: 3,
}


def interval(low, high, estimate=None, level=0.95):
    middle = (low + high) / 2 if estimate is None else estimate
    return Interval(middle, low, high, (high - low) / 3.92, None, "", 100, level)


def accuracy(n=1274, **more):
    return Basis(metric="accuracy", n=n, points=True, **more)


def auc(n=1274, **more):
    return Basis(metric="ROC AUC", n=n, **more)


ends = st.lists(
    st.one_of(st.floats(-1, 1), st.sampled_from([-0.01, 0.0, 0.01])), min_size=2, max_size=2
).map(sorted)
smallest = st.one_of(st.just(0.0), st.just(0.01), st.floats(0, 0.5))
steps = st.floats(0, 1)


# --- claims


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.004, 0.004, Claim.EQUIVALENT),
        (0.001, 0.004, Claim.EQUIVALENT),
        (-0.004, -0.001, Claim.EQUIVALENT),
        (-0.009, -0.001, Claim.WORSE),
        (-0.005, -0.001, Claim.WORSE),
        (0.005, 0.005, Claim.BETTER),
        (0.005, 0.02, Claim.BETTER),
        (0.001, 0.02, Claim.BETTER_MAYBE_TOO_LITTLE),
        (0.001, 0.005, Claim.BETTER_MAYBE_TOO_LITTLE),
        (0.0, 0.02, Claim.CANNOT_TELL),
        (-0.02, 0.0, Claim.CANNOT_TELL),
        (-0.005, 0.004, Claim.CANNOT_TELL),
        (-0.02, 0.03, Claim.CANNOT_TELL),
    ],
)
def test_the_rules_in_their_order(low, high, expected):
    assert claim(interval(low, high), 0.005) is expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.02, Claim.BETTER),
        (-0.02, -0.001, Claim.WORSE),
        (-0.001, 0.001, Claim.CANNOT_TELL),
        (0.0, 0.0, Claim.CANNOT_TELL),
        (0.0, 0.1, Claim.CANNOT_TELL),
    ],
)
def test_without_a_smallest_gain_any_gain_counts(low, high, expected):
    assert claim(interval(low, high), 0.0) is expected


@given(ends, smallest)
def test_each_interval_meets_the_definition_of_its_claim(limits, delta):
    low, high = limits
    found = claim(interval(low, high), delta)
    inside = -delta < low and high < delta
    assert inside == (found is Claim.EQUIVALENT)
    if not inside:
        assert (high < 0) == (found is Claim.WORSE)
        assert (low > 0) == (found in (Claim.BETTER, Claim.BETTER_MAYBE_TOO_LITTLE))
        assert (low > 0 and low >= delta) == (found is Claim.BETTER)


@given(ends, smallest, steps, steps)
def test_a_higher_interval_never_lowers_the_claim(limits, delta, up, more):
    low, high = limits
    higher = claim(interval(low + up, high + up + more), delta)
    assert RANK[higher] >= RANK[claim(interval(low, high), delta)]


@given(ends, smallest, steps, steps)
def test_a_wider_interval_never_settles_what_was_open(limits, delta, down, up):
    low, high = limits
    if claim(interval(low, high), delta) is Claim.CANNOT_TELL:
        assert claim(interval(low - down, high + up), delta) is Claim.CANNOT_TELL


@pytest.mark.parametrize("delta", [-0.1, nan])
def test_an_impossible_smallest_gain_is_refused(delta):
    with pytest.raises(SpecError):
        claim(interval(0, 1), delta)


def test_the_defaults_are_kept_unless_a_gain_was_shown():
    use = {found for found in Claim if action_for(found) is Action.USE_TUNED}
    assert use == {Claim.BETTER}
    use = {found for found in Claim if action_for(found, accept_small=True) is Action.USE_TUNED}
    assert use == {Claim.BETTER, Claim.BETTER_MAYBE_TOO_LITTLE}


# --- sentences


def test_better():
    gain = Interval(0.126, 0.0901, 0.1594, 0.0176, None, "", 1274)
    assert sentence(gain, 0.005, auc(control=0.6015, selected=0.7271)) == (
        "Tuning improved ROC AUC on 1,274 unseen rows from 0.602 to 0.727: +0.126 "
        "(95 % CI +0.090 to +0.159). Your threshold was 0.005. The test set was opened once."
    )


def test_better_in_percent_points():
    said = sentence(interval(0.006, 0.03), 0.005, accuracy(control=0.842, selected=0.860))
    assert said == (
        "Tuning improved accuracy on 1,274 unseen rows from 84.2 % to 86.0 %: +1.8 points "
        "(95 % CI +0.6 to +3.0). Your threshold was 0.5 points. The test set was opened once."
    )


def test_better_where_lower_is_better():
    basis = Basis(metric="log loss", n=900, lower_is_better=True, control=0.412, selected=0.392)
    assert sentence(interval(0.01, 0.03), 0.0, basis) == (
        "Tuning improved log loss on 900 unseen rows from 0.412 to 0.392: better by 0.020 "
        "(95 % CI +0.010 to +0.030). You set no smallest gain, so any gain counts. "
        "The test set was opened once."
    )


def test_better_on_fresh_seeds():
    basis = Basis(metric="reward", n=30, source="seeds")
    verdict = judge(interval(1.0, 5.0), 0.5, basis)
    assert verdict.sentence == (
        "Tuning improved reward on 30 fresh seeds: +3.0 (95 % CI +1.0 to +5.0). "
        "Your threshold was 0.5."
    )
    assert (verdict.badge, verdict.unit_text) == ("FRESH SEEDS", "30 fresh seeds")


def test_maybe_too_little():
    assert sentence(interval(0.001, 0.007), 0.005, auc()) == (
        "There is a real gain in ROC AUC on 1,274 unseen rows, +0.0040 "
        "(95 % CI +0.0010 to +0.0070), but it may be below the 0.005 you said matters."
    )


def test_equivalent():
    assert sentence(interval(-0.002, 0.003), 0.005, auc(searched=0.011)) == (
        "Keep the defaults. Tuned and default settings differ by less than 0.005 in ROC AUC on "
        "1,274 unseen rows (95 % CI −0.0020 to +0.0030). "
        "The search's best validation score was +0.0110 better; that was selection luck."
    )
    assert "luck" not in sentence(interval(-0.002, 0.003), 0.005, auc(searched=0.001))


def test_cannot_tell():
    gain = Interval(0.012, -0.021, 0.044, 0.0166, None, "", 114)
    assert sentence(gain, 0.005, accuracy(n=114)) == (
        "This test set (114 rows) can only show gains above 4.7 points in accuracy. You measured "
        "+1.2 points (95 % CI −2.1 to +4.4). About 840 rows would settle it."
    )
    assert sentence(gain, 0.005, Basis(metric="reward", n=10, source="seeds")) == (
        "This comparison (10 seeds) can only show gains above 0.047 in reward. You measured "
        "+0.012 (95 % CI −0.021 to +0.044). About 74 seeds would settle it."
    )


def test_worse():
    assert sentence(interval(-0.014, -0.002), 0.001, accuracy()) == (
        "The tuned settings lost 0.80 points of accuracy on 1,274 unseen rows "
        "(95 % CI −1.40 to −0.20): overtuning. Use the defaults."
    )
    loss = Basis(metric="RMSE", n=50, lower_is_better=True)
    assert sentence(interval(-3000, -1000), 0.0, loss) == (
        "The tuned settings are worse by 2,000 in RMSE on 50 unseen rows "
        "(95 % CI −3,000 to −1,000): overtuning. Use the defaults."
    )


def test_equal_results_without_a_smallest_gain():
    assert sentence(interval(0, 0), 0.0, accuracy()) == (
        "Tuned and default settings gave equal accuracy on 1,274 unseen rows: "
        "there is no gain to state."
    )


def test_a_second_look_is_told_for_ever():
    basis = accuracy(look=2, first_look="3 Nov")
    verdict = judge(interval(0.006, 0.03, level=0.975), 0.005, basis)
    assert verdict.badge == "POST-HOC (look 2)"
    assert "opened once" not in verdict.sentence
    assert "97.5 % CI" in verdict.sentence
    assert verdict.sentence.endswith(
        "This is look number 2 at this test set. The first was on 3 Nov. "
        "Treat this number as a validation score."
    )


def test_without_a_test_set_the_procedure_is_judged():
    verdict = judge(interval(0.006, 0.03), 0.005, accuracy(source="bbc"))
    assert verdict.badge == "NO TEST SET (bbc)"
    assert verdict.unit_text == "1,274 rows left out of the selection"
    assert verdict.sentence.endswith(
        "No test set was kept, so this speaks about the tuning procedure, "
        "not about the fitted model."
    )


def test_a_recheck_is_no_confirmation():
    verdict = judge(interval(0.006, 0.03), 0.005, accuracy(source="recheck"))
    assert verdict.unit_text == "1,274 rows in fresh splits"
    assert verdict.sentence.endswith(
        "These rows took part in choosing the settings, so the gain may be flattered; "
        "no sealed test set has confirmed it."
    )


def test_an_objective_without_noise_needs_no_interval():
    basis = Basis(
        metric="cost", n=1, source="exact", lower_is_better=True, control=3.0, selected=2.75
    )
    verdict = judge(interval(0.25, 0.25), 0.1, basis)
    assert (verdict.claim, verdict.badge) == (Claim.BETTER, "EXACT")
    assert verdict.sentence == (
        "Tuning improved cost on a deterministic objective from 3.00 to 2.75: better by 0.25 "
        "(no noise seen). Your threshold was 0.1."
    )


def test_without_any_evidence_the_gain_is_unknown():
    verdict = no_test_set(0.01, accuracy(n=0, source="none"))
    assert (verdict.claim, verdict.action) == (Claim.CANNOT_TELL, Action.KEEP_DEFAULTS)
    assert verdict.sentence == (
        "No test set was kept, so the gain on new data is unknown. "
        "No gain could be shown; that is not proof that none exists."
    )


@pytest.mark.parametrize("why", ["guard", "luck"])
def test_no_gain_shown_is_no_proof_of_none(why):
    verdict = no_gain_shown(why, 0.005, accuracy(source="recheck"), detectable=0.0182)
    assert (verdict.claim, verdict.action) == (Claim.CANNOT_TELL, Action.KEEP_DEFAULTS)
    assert verdict.gain is None
    assert verdict.badge == "TEST SET NOT OPENED"
    assert verdict.sentence.startswith("Keep the defaults. ")
    assert verdict.sentence.endswith(
        "No gain could be shown; that is not proof that none exists. "
        "The smallest gain this data could have shown: 1.8 points."
    )


def test_without_a_control_nothing_is_claimed():
    verdict = no_control(0.0, auc(selected=0.72714))
    assert verdict.claim is verdict.action is None
    assert verdict.sentence == (
        "No defaults were given, so no gain over them can be stated. "
        "The best settings found reach 0.7271 ROC AUC on 1,274 unseen rows."
    )
    assert str(verdict).startswith("NO CLAIM [CONFIRMATORY]\n")


@given(ends, smallest, st.booleans())
def test_a_verdict_is_two_or_three_readable_lines(limits, delta, points):
    verdict = judge(interval(*limits), delta, Basis(metric="m", n=100, points=points))
    lines = str(verdict).split("\n")
    assert 2 <= len(lines) <= 3
    assert all(line.strip() for line in lines)
    assert lines[0] == f"{verdict.claim} [CONFIRMATORY]"
    assert "nan" not in str(verdict)
    assert "−0.0 " not in str(verdict)
    if verdict.claim is Claim.CANNOT_TELL:
        assert "EQUIVALENT" not in str(verdict)
        assert "differ by less" not in str(verdict)


@given(ends, smallest, st.booleans())
def test_a_verdict_survives_json(limits, delta, points):
    basis = Basis(metric="m", n=100, points=points, control=0.5, selected=0.6, look=2)
    for verdict in (
        judge(interval(*limits), delta, basis),
        no_gain_shown("guard", delta, basis),
        no_control(delta, basis),
    ):
        form = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
        assert Verdict.from_json(form) == verdict


def test_looks_are_counted_from_one():
    with pytest.raises(SpecError):
        judge(interval(0, 1), 0.0, accuracy(look=0))


# --- how much data would settle it


def test_units_to_settle_grow_with_the_square_of_the_width():
    narrow = units_to_settle(interval(-0.02, 0.04), 0.0, accuracy(n=100))
    wide = units_to_settle(interval(-0.05, 0.07), 0.0, accuracy(n=100))
    assert (narrow, wide) == (900, 3600)


def test_a_smallest_gain_makes_a_zero_settleable():
    assert units_to_settle(interval(-0.02, 0.02), 0.0, accuracy(n=100)) is None
    assert units_to_settle(interval(-0.02, 0.02), 0.01, accuracy(n=100)) == 400
    assert "naming a gain that matters" in sentence(interval(-0.02, 0.02), 0.0, accuracy(n=100))
    tiny = interval(-0.02, 0.02, estimate=1e-200)
    assert "naming a gain that matters" in sentence(tiny, 0.0, accuracy(n=100))


def test_rows_do_not_settle_the_noise_of_seeds():
    gain = interval(-0.02, 0.04)
    some = units_to_settle(gain, 0.0, accuracy(n=100, se_seeds=0.25 * gain.se))
    assert some > 900
    basis = accuracy(n=100, se_seeds=0.5 * gain.se)
    assert units_to_settle(gain, 0.0, basis) is None
    assert sentence(gain, 0.0, basis).endswith(
        "More rows alone would not settle it: refit both with more seeds."
    )


def test_what_rounds_to_nothing_has_no_sign_in_tables_and_in_sentences():
    effect = {"estimate": -0.0049, "low": -0.3, "high": 0.3}
    assert fixed(-0.0049, 2, sign=True) == "0.00"
    assert Numbers(2, points=False).gain(-0.0049) == "0.00"
    assert ablation_words._ci(effect) == "0.00, 95 % CI −0.30 to +0.30"
