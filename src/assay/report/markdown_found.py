"""What a study found beside its verdict, as Markdown tables: front, ablations, changes, winner, test."""

from __future__ import annotations

from collections.abc import Iterator

from assay.report import words
from assay.report.ablation import AblationView
from assay.report.audit import AuditView
from assay.report.evidence import Front, Recheck, Unsealing
from assay.report.markdown_form import table, text
from assay.report.view import View
from assay.report.without_test import Procedure


def found(view: View) -> Iterator[str]:
    """The sections in the order of the page, with its headings."""
    if view.front:
        yield "## The front"
        yield _front(view.front)
    if view.audit:
        yield "## Which changes did it"
        yield from _audit(view.audit)
    if view.singles:
        yield "## What single changes did"
        yield "\n".join(f"* {text(sentence)}" for sentence in view.singles)
    if view.ablations:
        yield "## What each component contributes"
        for one in view.ablations:
            yield from _ablation(one)
    if view.recheck:
        yield "## How the winner was chosen"
        yield text(f"Rule: {view.recheck.rule}. {view.recheck.reason}.")
        yield _recheck(view.recheck)
    if view.test:
        yield "## The sealed test set"
        yield from _test(view.test)
    if view.procedure:
        yield "## In place of a test set"
        yield from _procedure(view.procedure)


def _front(front: Front) -> str:
    rows = [(str(number), *map(words.number, values)) for number, values in front.rows]
    return table(("trial", *front.objectives), rows)


def _audit(audit: AuditView) -> Iterator[str]:
    yield from map(text, audit.sentences)
    yield table(
        ("parameter", "default", "winner", "added", "in all", "taken back alone", "so it is"),
        [(r.name, r.before, r.after, r.added, r.total, r.alone, r.standing) for r in audit.rows],
    )
    if audit.fine:
        yield text(f"Can be left at default: {', '.join(audit.fine)}.")
    yield from map(text, audit.notes)


def _ablation(one: AblationView) -> Iterator[str]:
    yield f"### {text(one.title)}"
    yield from map(text, one.sentences)
    if one.rows:
        yield text(f"Loss without each component, in {one.metric}; intervals hold for all at once:")
    yield table(
        ("component", "verdict", "untuned", "re-tuned", "adjusted p", "was tuning"),
        [(r.component, r.flag, r.untuned, r.retuned, r.p, r.misattribution) for r in one.rows],
    )
    yield table(("component", "main effect", "Shapley share"), one.factors)
    yield table(("together, beyond each for itself", "interaction", "adjusted p"), one.interactions)
    yield table(
        ("variant", f"fresh {one.metric}", "trials", "fits", "CPU time", "energy", "best settings"),
        [(a.name, a.score, a.trials, a.fits, a.cpu, a.energy, "; ".join(a.best)) for a in one.arms],
    )
    yield table(("role", "what has it"), one.roles)
    yield from map(text, one.notes)


def _recheck(recheck: Recheck) -> str:
    rows = [
        (
            str(row.trial),
            "–" if row.search_gain is None else words.signed(row.search_gain),
            words.span(row.fresh.estimate, row.fresh.low, row.fresh.high) if row.fresh else "–",
            "–" if row.n is None else str(row.n),
            row.fate,
        )
        for row in recheck.rows
    ]
    return table(
        ("trial", "gain in the search", "fresh gain", "evaluations", "what came of it"), rows
    )


def _test(test: Unsealing) -> Iterator[str]:
    yield table(("set apart before anything was fitted", ""), test.sealed)
    yield table(
        ("contender", test.metric, "refits"),
        [
            (arm.label, words.span(arm.score, arm.low, arm.high, sign=False), str(len(arm.refits)))
            for arm in test.contenders
        ],
    )
    if test.gain:
        by = f" ({test.method})" if test.method else ""
        yield text(f"Gain over the defaults: {test.gain}{by}.")
    looks = "\n".join(f"* Look {look}: {text(reason)}" for look, reason in test.looks)
    yield looks or "It has not been opened."


def _procedure(procedure: Procedure) -> Iterator[str]:
    yield text(procedure.method)
    yield table(("the procedure on rows left out", ""), procedure.facts)
    if procedure.gain:
        yield text(f"Gain over the defaults: {procedure.gain}.")
    yield table(procedure.heads, procedure.folds)
