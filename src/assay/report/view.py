"""Everything that a page or a terminal says of a study. No HTML here.

A section without facts is None and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.analysis.effects import Effect
from assay.analysis.row_losses import Rows
from assay.analysis.spending import spending
from assay.core.events import Concluded, Selected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import answer, evidence, record, words
from assay.report.ablation import AblationView, ablation_cost, ablations
from assay.report.answer import Card, Changes, Numbers
from assay.report.audit import AuditView, audit_of
from assay.report.checklist import Item, checklist
from assay.report.corrected import corrected_bar
from assay.report.evidence import Course, Front, NoiseTable, Point, Recheck, Step, Unsealing
from assay.report.influence import Influence
from assay.report.looks import Looks, looks
from assay.report.phase import Standing, standing
from assay.report.plots.form import Plot
from assay.report.preflight import PreflightView, preflight
from assay.report.record import Cost, Machine, Note, Plan
from assay.report.shadow import ShadowView, shadow
from assay.report.trials import TrialTable, gains, trial_table
from assay.report.without_test import Procedure, procedure


@dataclass(frozen=True)
class View:
    """A study as people see it, answer first, evidence after, plumbing last."""

    name: str
    standing: Standing
    card: Card
    numbers: Numbers | None
    changes: Changes | None
    front: Front | None
    flow: tuple[Step, ...] | None
    course: Course | None
    recheck: Recheck | None
    cost: Cost | None
    preflight: PreflightView | None
    data_notes: tuple[Note, ...] | None
    plan: Plan
    noise: NoiseTable | None
    test: Unsealing | None
    checklist: tuple[Item, ...]
    machine: Machine | None
    trials: TrialTable | None
    events: int
    head: str
    procedure: Procedure | None = None
    """What stands in for a test set, if the plan names something."""
    looks: Looks | None = None
    shadow: ShadowView | None = None
    ablations: tuple[AblationView, ...] | None = None
    audit: AuditView | None = None
    importance: Influence | None = None
    """Only for a whole page, as those below: they take longer than the rest."""
    singles: tuple[str, ...] | None = None
    steps: Plot | None = None
    worth: tuple[Plot, ...] | None = None
    second_half: str = ""
    going_on: str = ""


def view_of(
    name: str,
    spec: StudySpec,
    history: History,
    head: str = "",
    *,
    rows: Rows | None = None,
    effects: Mapping[int, Effect] | None = None,
    points: Sequence[Point] = (),
) -> View:
    """The view of a study, from its log alone.

    Args:
        name: the study's name; it may hold anything.
        head: the hash of the last row of the log, printed so that a cut tail can be found later.
        rows: gives the stored per-row values behind a hash; without it the score of the search
            is not corrected for its luck.
        effects: of the trials over the control, where they are known already.
        points: of the trials in the history, the same.

    >>> from assay.core.history import fold
    >>> from assay.core.space import Space
    >>> from assay.core.parameters import Float
    >>> spec = StudySpec(Space(x=Float(0, 1, default=0.5)), {"value": "minimize"})
    >>> view_of("lab", spec, fold([])).card.claim
    'NOT STARTED'
    """
    noise = evidence.known_noise(spec, history)
    if not effects:
        effects = gains(spec, history)
    concluded = history.last(Concluded)
    gain = answer.gain_of(concluded.verdict.get("gain"), spec.alpha) if concluded else None
    seen = looks(spec, history, rows)
    cost = record.cost(history, gain, spending(spec, history))
    corrected = corrected_bar(spec, history, rows) if history.last(Selected) else None
    return View(
        name=words.name(name),
        standing=standing(spec, history),
        card=answer.card(spec, history, ablation_cost(history) or str(cost)),
        numbers=answer.numbers(spec, history, corrected),
        changes=answer.changes(spec, history),
        front=evidence.front(spec, history),
        flow=evidence.flow(history),
        course=evidence.course(
            spec,
            history,
            effects,
            noise,
            looks=seen,
            points=points,
        ),
        recheck=evidence.recheck(history),
        cost=cost if cost.total.evaluations else None,
        preflight=preflight(spec, history),
        data_notes=record.data_notes(spec),
        plan=record.plan(spec, history),
        noise=evidence.noise_table(spec, history, noise),
        test=evidence.unsealing(spec, history),
        checklist=checklist(spec, history, noise),
        machine=record.machine(history),
        trials=trial_table(spec, history, effects),
        events=history.length,
        head=words.name(head) if head else "",
        procedure=procedure(spec, history),
        looks=seen,
        shadow=shadow(spec, history, rows),
        ablations=ablations(history),
        audit=audit_of(history),
    )
