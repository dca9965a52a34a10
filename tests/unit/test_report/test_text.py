"""A study as plain text."""

from __future__ import annotations

import typing
import unicodedata

import msgspec

from assay.core.events import Enqueued, Event, Voided, encode
from assay.core.history import fold
from assay.core.protocols import Row
from assay.report import log, text, words
from assay.report.view import view_of


def test_text_fits_into_80_columns(kind, study, view):
    spec, events = study(kind)
    shown, history = view(spec, events), fold(events)
    said = (
        text.summary(shown)
        + text.trials_table(shown.trials)
        + text.trials_table(shown.trials, most=None, by_number=True)
    )
    if history.n_trials:
        said += text.show(shown.trials, history.trial(0))
    assert max(map(len, said.splitlines())) <= 80
    assert "assay report churn" in said
    assert shown.card.claim in said


def test_the_summary_gives_the_settings_to_the_last_digit(study, view):
    spec, events = study("whole")
    shown = view(spec, events)
    said = text.summary(shown)
    for name, value in fold(events).config(shown.changes.trial).items():
        assert f"{name} = {words.exact(value)}" in said
    assert "assay resume" not in said
    assert "assay resume" in text.summary(view(*study("running")))


def test_the_summary_gives_commands_that_can_be_typed(study, view):
    shown = view(*study("running"))

    def lab(verb):
        return f"assay {verb} --storage lab.db churn"

    said = text.summary(shown, command=lab).splitlines()
    assert f"  {lab('resume')}   go on where it stopped" in said
    said = text.summary(shown, command=lambda verb: f"{lab(verb)}{'x' * 30}").splitlines()
    assert "  go on where it stopped:" in said, "a command that is too long has a line of its own"
    assert f"    {lab('resume')}{'x' * 30}" in said


def test_the_table_shows_the_best_or_the_newest(study, view):
    shown = view(*study("whole"))
    best = [
        int(line.split()[0]) for line in text.trials_table(shown.trials, most=5).splitlines()[1:6]
    ]
    assert best == list(shown.trials.ranking[:5])
    newest = text.trials_table(shown.trials, most=5, by_number=True).splitlines()
    assert [int(line.split()[0]) for line in newest[1:6]] == [55, 56, 57, 58, 59]
    assert newest[-1] == "55 more trials not shown."


def test_diff_names_what_differs(study, view):
    spec, events = study("whole")
    history = fold(events)
    said = text.diff(view(spec, events).trials, history.trial(0), history.trial(4), floor=0.5)
    assert "max_depth" in said
    assert "Trial 4 has no value: it is failed." in said
    same = text.diff(view(spec, events).trials, history.trial(1), history.trial(1), floor=0.5)
    assert "the same settings" in same
    assert "(one standard error): 0.5" in same
    assert "standard error" not in said, "one of them has no value"


def test_show_ends_with_the_last_words_of_a_failed_trial(study, view):
    spec, events = study("whole")
    said = text.show(view(spec, events).trials, fold(events).trial(4))
    assert said.endswith("  | line 1\n  | line 2\n")


def test_show_says_why_a_config_was_proposed():
    from assay import Float, Space, Study
    from assay.api.reporting import view

    study = Study(Space(x=Float(0, 1, default=0.5)), sampler="sobol")
    study.ask(), study.ask()
    control, first = (text.show(view(study).trials, trial) for trial in study.trials)
    assert "\nwhy\n  The control group: what all other settings are compared with.\n" in control
    assert "\nwhy\n  Point 0 of the Sobol sequence.\n" in first


def test_every_event_has_words(study):
    assert set(log._SAYS) == set(typing.get_args(Event))
    _, events = study("post-hoc")
    events = [*events, Enqueued({"a": 1}), Voided("x")]
    rows = [
        Row(i, "2026-11-23T09:41:07.123456Z", "ann@lab", 1, encode(e), "")
        for i, e in enumerate(events)
    ]
    lines = log.log_lines(rows)
    assert len(lines) == len(events)
    assert all("\n" not in line and msgspec.json.encode(line) for line in lines)


def test_hostile_names_are_inert_on_the_terminal(made):
    spec, events = made.hostile()
    shown, history = view_of(made.HOSTILE + "\ud800", spec, fold(events)), fold(events)
    said = text.summary(shown) + text.trials_table(shown.trials)
    said += "".join(text.show(shown.trials, trial) for trial in history.trials)
    said += text.diff(shown.trials, history.trial(0), history.trial(1), floor=None)
    said += "\n".join(map(log.in_words, events))
    bad = {c for c in said if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
    assert bad == set()
    assert "\u202e" not in said
    assert len(said) < 20_000
