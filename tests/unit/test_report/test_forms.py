"""The report in other forms, and in notebooks: the same facts, inert everywhere."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

import assay
from assay.analysis.verdict import Verdict
from assay.api.agents import result
from assay.api.paper import printed
from assay.api.reporting import whole, written
from assay.core.errors import SpecError
from assay.core.history import fold
from assay.progress import showing
from assay.progress.notebook import NotebookProgress, shower
from assay.report import html
from assay.report.markdown import markdown
from assay.report.markdown_form import text
from assay.report.model_card import model_card
from assay.report.plots import gains
from assay.report.plots.outcomes import Outcomes
from assay.report.snippet import view_snippet
from assay.report.view import view_of
from assay.stores.memory import MemoryStore


@pytest.fixture
def stored(study):
    """`stored(kind)`: a study of this kind in a store."""

    def keep(kind):
        _, events = study(kind)
        store = MemoryStore()
        store.append("churn", events, after=0)
        return assay.open_study(store, "churn")

    return keep


def test_markdown_says_what_the_page_says(kind, study, view):
    shown = view(*study(kind))
    said = markdown(shown)
    assert said.startswith("# churn\n")
    assert text(shown.card.claim) in said
    for bar in shown.numbers.bars if shown.numbers else ():
        assert text(shown.numbers.shown(bar.value)) in said
    for line in said.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_markdown_has_the_sections_of_the_page(kind, study, view):
    said = markdown(view(*study(kind)))
    others = {"changes", "shadow", "preflight", "worth", "trials"}  # their headings say more
    for section in html.SECTIONS:
        if section.part not in others and getattr(view(*study(kind)), section.part) is not None:
            assert f"## {section.heading}\n" in said


def test_an_ablation_and_an_audit_in_markdown():
    noise = {False: 0.0, True: 0.01}
    options = {"isolation": "none", "progress": False}
    space = assay.Space(rate=assay.Float(0.1, 1.0, default=1.0))

    def loss(trial):
        return trial.config["rate"] + noise[trial.seed % 2 == 0] - trial.config.get("flag", 0)

    parts = [assay.Component("flag"), assay.Component("other")]
    ablation = assay.ablate(
        loss, space=space, components=parts, design="factorial", budget=3, searches=1, **options
    )
    said = markdown(whole(ablation.study))
    for effect in ablation.result["effects"]:
        assert text(effect["sentence"]) in said
    assert "| together, beyond each for itself | interaction | adjusted p |" in said
    assert result(ablation.study)["ablations"] == [ablation.result]
    card = model_card(whole(ablation.study))
    assert text(ablation.result["effects"][0]["sentence"]) in card
    assert "12 trials" in card.partition("## Cost")[2]
    answers = {item.question: item for item in whole(ablation.study).checklist}
    assert answers["Is the number of trials given?"].detail.startswith("12 trials")
    assert answers["Does the result have an interval?"].answer == "Y"
    study = assay.optimize(loss, space, budget=8, smallest_gain=0.01, **options)
    assert result(study)["ablations"] == []
    study.audit(**options)
    said = markdown(whole(study))
    assert "| parameter | default | winner | added |" in said
    assert "## How the winner was chosen" in said


def test_markdown_is_inert(made):
    spec, events = made.hostile()
    said = markdown(view_of(made.HOSTILE, spec, fold(events)))
    assert not re.search(r"(?<!\\)<(img|script|/style)", said)
    assert not re.search("[\x00\u202e]", said)
    assert "$" not in text("a$b").replace("\\$", "")


def test_json_is_whole(stored):
    found = stored("whole")
    form = json.loads(written(found, "json"))
    assert form["format"] == "assay report"
    assert len(form["trials"]) == 60
    assert form["card"]["claim"] == "BETTER"
    assert form["flow"][0]["count"] == 60
    assert {"plan", "checklist", "noise", "test", "worth", "steps"} <= form.keys()


def test_the_page_answers_whether_it_was_worth_it(stored):
    shown = whole(stored("whole"))
    page = html.page(shown)
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert headings.index("From the defaults to the best") < headings.index("Was it worth it?")
    assert "raise the expected best by" in page
    assert "What the search saw, and what fresh data show" in page
    assert html.page(replace(shown, worth=None, steps=None)).count("<h2") == len(headings) - 2


def test_what_the_second_half_added_is_not_negative(study):
    spec, events = study("whole")
    said = gains.second_half(Outcomes(spec, fold(events)))
    assert re.search(r"raise the expected best by \+0\.0\d+, [\d.]+ × the noise floor", said)
    assert gains.second_half(Outcomes(spec, fold(events[:30]))) == ""


def test_a_pdf_is_printed(stored):
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed")
    body = written(stored("one trial"), "pdf")
    assert body.startswith(b"%PDF-")
    assert len(body) > 5000


def test_without_a_browser_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SpecError, match=r"apt-get install chromium.*--format html"):
        printed("<p>")


def test_unknown_forms_are_refused(stored):
    with pytest.raises(SpecError, match="html, md, json, pdf, got 'docx'"):
        written(stored("created"), "docx")


# --- notebooks


class Balanced(HTMLParser):
    VOID = ("br", "meta")

    def __init__(self, snippet):
        super().__init__()
        self.open, self.tags = [], set()
        self.feed(snippet)
        assert self.open == []
        assert not {"script", "img", "iframe", "html", "body"} & self.tags

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_shows_any_study(kind, stored):
    Balanced(stored(kind)._repr_html_())


def test_a_notebook_shows_hostile_studies_inertly(made):
    spec, events = made.hostile()
    past = fold(events)
    for snippet in (
        view_snippet(view_of(made.HOSTILE, spec, past)), *(t._repr_html_() for t in past.trials),
    ):  # fmt: skip
        Balanced(snippet)
        assert "\x00" not in snippet
        assert "\u202e" not in snippet


def test_a_verdict_in_a_notebook():
    sentence = "<img src=x> \u202e improved"
    found = Verdict(
        claim=None,
        action=None,
        sentence=sentence,
        gain=None,
        smallest_gain=0.0,
        metric="x",
        badge="",
        look=0,
        unit_text="",
    )
    Balanced(found._repr_html_())
    assert "\u202e" not in found._repr_html_()


class Cell:
    """The output of a cell, as the kernel has it."""

    def __init__(self, html):
        self.seen = [html]

    def update(self, html):
        self.seen.append(html)


def test_the_cell_is_kept_up_to_date(study):
    spec, events = study("running")
    cells = []

    def show(html):
        cells.append(Cell(html))
        return cells[-1]

    with NotebookProgress(spec, show) as progress:
        for end in range(60, len(events), 5):
            progress(fold(events[:end]))
        progress(fold(events))
    (cell,) = cells
    assert 2 <= len(cell.seen) <= 4, "at most one a second, and the last"
    Balanced(cell.seen[-1])
    assert cell.seen[-1] != cell.seen[0]


def test_outside_a_notebook_there_is_no_cell():
    assert shower() is None
    spec = assay.Study(assay.Space(x=assay.Float(0, 1))).spec
    with showing(spec, wanted=False) as nothing:
        assert nothing is None
