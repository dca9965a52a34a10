"""Figures of a study as plain arrays, drawn without anything, or with matplotlib or plotly.

    import assay

    figure = assay.plot.history(study)
    figure.panels[0].marks        # the arrays
    figure                        # in a notebook: drawn, with its table
    figure.matplotlib()           # with matplotlib: pip install 'assay[plot]'
    figure.plotly()               # with plotly

The names are those that users of Optuna know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from assay.core.errors import SpecError, StateError
from assay.plot.drawing import Drawing
from assay.report.plots import course, gains, space
from assay.report.plots.outcomes import Outcomes

if TYPE_CHECKING:
    from assay.api.study import Study

__all__ = [
    "Drawing",
    "contour",
    "edf",
    "expected_best",
    "gain_and_cost",
    "history",
    "intermediate_values",
    "learning_curve",
    "overtuning",
    "parallel_coordinate",
    "param_importances",
    "pareto_front",
    "rank",
    "shadow",
    "slice",
    "steps_to_best",
    "timeline",
]


def history(study: Study) -> Drawing:
    """Every trial's gain over the defaults, with the noise band, the luck line and the record.

    >>> from assay import Float, Space, Study
    >>> study = Study(Space(x=Float(0, 1, default=0.5)), sampler="sobol")
    >>> for _ in range(4):
    ...     trial = study.ask()
    ...     study.tell(trial, trial.config["x"])
    >>> figure = history(study)
    >>> [mark.role for mark in figure.panels[0].marks]
    ['unclear', 'control', 'record']
    """
    return Drawing(course.history(_with_looks(study)))


def parallel_coordinate(study: Study, params: Iterable[str] | None = None) -> Drawing:
    """Each trial as a line across its parameters and values; positions are shares of each range.

    Raises:
        SpecError: a parameter does not exist.
    """
    return Drawing(space.parallel_coordinate(_of(study), params))


def slice(study: Study, params: Iterable[str] | None = None) -> Drawing:  # noqa: A001 - its name
    """The value against each parameter; `mark.x` are shares of the range, `mark.at` the values.

    Raises:
        SpecError: a parameter does not exist.
    """
    return Drawing(space.slice_(_of(study), params))


def contour(study: Study, params: Sequence[str] | None = None) -> Drawing:
    """The smoothed value over two parameters, the first two if none are named.

    Raises:
        SpecError: not two parameters of the space.
    """
    return Drawing(space.contour(_of(study), params))


def rank(study: Study, params: Sequence[str] | None = None) -> Drawing:
    """Trials over two parameters, shaded by their rank.

    Raises:
        SpecError: not two parameters of the space.
    """
    return Drawing(space.rank(_of(study), params))


def param_importances(study: Study) -> Drawing:
    """What each parameter explains of being among the best, with its interval; see `importance`.

    Raises:
        StateError: too few trials.
    """
    from assay.report.influence import influence

    return Drawing(space.param_importances(influence(study.importance())))


def pareto_front(study: Study, objectives: Sequence[str] | None = None) -> Drawing:
    """Two objectives against each other, with the front.

    Raises:
        SpecError: not two objectives of the study.
    """
    return Drawing(gains.pareto_front(_of(study), objectives))


def intermediate_values(study: Study) -> Drawing:
    """The learning curves: reported values by step."""
    return Drawing(course.intermediate_values(_of(study)))


def edf(studies: Study | Sequence[Study] | Mapping[str, Study]) -> Drawing:
    """The share of trials that are at least as good as each value, for one study or several."""
    if isinstance(studies, Mapping):
        named = dict(studies)
    else:
        listed = studies if isinstance(studies, Sequence) else [studies]
        named = {study.name: study for study in listed}
        if len(named) < len(listed):
            raise SpecError("Two of these studies have the same name. Give a dict of them by name.")
    return Drawing(course.edf({name: _of(study) for name, study in named.items()}))


def timeline(study: Study) -> Drawing:
    """When each trial began and ended, in seconds since the first."""
    from assay.api.times import times

    return Drawing(course.timeline(_of(study), times(study)))


def gain_and_cost(study: Study) -> Drawing:
    """The gain of each trial against what evaluating it took."""
    return Drawing(gains.gain_and_cost(_of(study)))


def expected_best(study: Study) -> Drawing:
    """The expected best of n of these trials, as seen and on rows that did not choose it, with the luck line."""
    from assay.api.reporting import stored_rows
    from assay.report.corrected import honest_curve

    honest = honest_curve(study.spec, study.history, stored_rows(study))
    return Drawing(gains.best_so_far(_with_looks(study), honest))


def learning_curve(study: Study) -> Drawing:
    """The score of the defaults by the number of training rows, with what more rows would bring.

    Raises:
        StateError: it was not measured; `tune(…, checks="full")` does.
    """
    from assay.report.preflight import preflight

    found = preflight(study.spec, study.history)
    if found is None or found.learning is None:
        raise StateError('No learning curve was measured: begin the study with checks="full".')
    return Drawing(found.learning)


def steps_to_best(study: Study) -> Drawing:
    """From the defaults to the best trial, record by record."""
    return Drawing(gains.steps_to_best(_of(study)))


def overtuning(study: Study) -> Drawing:
    """What the search saw of its best trials, and what fresh evaluations show.

    Raises:
        StateError: nothing was selected yet.
    """
    from assay.report.evidence import recheck

    found = recheck(study.history)
    if found is None:
        raise StateError("Nothing was measured again yet: this study has no selection.")
    return Drawing(gains.overtuning(found))


def shadow(study: Study) -> Drawing:
    """The best trial so far in the search and on the shadow set, which the search never used.

    Raises:
        StateError: the study has no shadow set, or nothing was scored on it yet.
    """
    from assay.analysis.overtuning import overtuning as measures
    from assay.report.plots.shadow import trace

    history = study.history
    found = measures(study.spec, history)
    if found is None:
        raise StateError("Nothing was scored on a shadow set: begin the study with shadow=0.1.")
    return Drawing(trace(study.spec, history, found))


def _of(study: Study) -> Outcomes:
    return Outcomes(study.spec, study.history)


def _with_looks(study: Study) -> Outcomes:
    """With the independent looks of its trials, by which a luck line goes."""
    from assay.api.reporting import looks_of

    outcomes = _of(study)
    outcomes.looks = looks_of(study)
    return outcomes
