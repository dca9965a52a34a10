"""What going on with a search is expected to bring is said where it was shown to hold, and nowhere else."""

from __future__ import annotations

import pytest

import assay
from assay import Budget, Fidelity, Float, Space
from assay.analysis.going_on import GoingOn, going_on
from assay.api.reporting import whole
from assay.cli.status import status_text
from assay.report import html
from assay.report.going_on import said

LINE = Space(x=Float(0, 1))
COURSE = [1.0] * 5 + [0.5] * 5 + [0.4] * 10


def searched(losses, space=LINE, **given):
    """A study whose trials come to these losses; None: the trial fails."""
    study = assay.Study(space, sampler="random", **given)
    for loss in losses:
        trial = study.ask()
        if loss is None:
            study.tell(trial, failed="no memory")
        else:
            study.tell(trial, loss)
    return study


@pytest.mark.parametrize(
    ("losses", "most"),
    [
        (COURSE, 0.25),  # half of what the second quarter brought
        ([1.0] * 5 + [0.9] * 5 + [0.4] * 10, 0.5),  # what the second half brought
        ([1.0] * 5 + [0.5] * 5 + [0.4] * 9 + [3.0], 0.25),
        (COURSE * 2, 0.05),
    ],
)
def test_as_many_trials_again_bring_what_the_halvings_brought(losses, most):
    found = going_on(losses)
    assert found.trials == len(losses)
    assert found.most == pytest.approx(most)
    assert found.middle == pytest.approx(most / 5)


@pytest.mark.parametrize(
    "losses", [[], COURSE[:19], [0.4] * 20, [float("inf")] * 5 + COURSE[5:], [float("inf")] * 20]
)
def test_nothing_is_forecast_from_too_little(losses):
    assert going_on(losses) is None


def test_the_unit_of_the_losses_does_not_matter():
    found, larger = going_on(COURSE), going_on([1000 * loss + 7 for loss in COURSE])
    assert larger.most == pytest.approx(1000 * found.most)


def test_a_study_says_it():
    words = searched(COURSE).outlook()
    assert words == said(GoingOn(20, 0.05, 0.25), "value", 0.0, data=False)
    assert searched(COURSE[:19]).outlook() == ""


def test_a_maximised_value_is_not_turned_around():
    higher = searched([-loss for loss in COURSE], direction="maximize")
    assert higher.outlook() == searched(COURSE).outlook()


def test_failed_trials_count_as_trials():
    failed = [*COURSE[:10], None, None, *COURSE[10:]]
    assert "22 more trials" in searched(failed).outlook()


@pytest.mark.parametrize(
    "given",
    [
        {"constraints": ["size <= 1"]},
        {"space": Space(x=Float(0, 1), fidelity=Fidelity("epochs", 1, 9)), "scheduler": "median"},
        {"direction": ["minimize", "minimize"]},
    ],
)
def test_nothing_is_said_where_it_was_not_shown_to_hold(given):
    study = assay.Study(given.pop("space", LINE), sampler="random", **given)
    for loss in COURSE:
        trial = study.ask()
        if study.spec.bounds:
            study.tell(trial, {"value": loss, "size": 0.5})
        else:
            study.tell(trial, [loss, loss] if len(study.spec.objectives) > 1 else loss)
    assert len(study.trials) == 20
    assert study.outlook() == ""


def test_a_gain_worth_having_that_is_hardly_to_be_had_is_named():
    found = GoingOn(60, 0.0004, 0.002)
    assert "hardly bring the 0.005 asked for" in said(found, "value", 0.005, data=False)
    assert "asked for" not in said(found, "value", 0.001, data=False)
    assert "same splits" in said(found, "value", 0.0, data=True)


def test_the_status_of_a_study_and_its_page_say_it(tmp_path):
    storage = str(tmp_path / "lab.db")
    study = assay.optimize(
        lambda trial: COURSE[trial.number], Space(x=Float(0, 1, default=0.5)),
        budget=Budget(trials=20), sampler="random", storage=storage, name="one", evidence=None,
        isolation="none", progress=False,
    )  # fmt: skip
    words = study.outlook()
    assert words
    assert words in " ".join(status_text(storage, "one").split())
    assert words in html.page(whole(study))
    searched(COURSE, storage=storage, name="two")
    assert words not in " ".join(status_text(storage, None).split())
