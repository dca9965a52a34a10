"""The page: well-formed, self-contained, inert, readable, and true to the view."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from assay.core.history import fold
from assay.core.spec import Budget
from assay.report import html, words
from assay.report.view import view_of


class Checker(HTMLParser):
    """Notes what would be wrong with a page."""

    VOID = ("meta", "br")

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.faults += [f"{name} on {tag}" for name in named if name.startswith("on")]
        self.faults += [f"{tag} {n}={v}" for n, v in attrs if n in ("src", "href", "action")]
        if tag == "th" and "scope" not in named:
            self.faults.append("th without scope")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> does not fit")


def check(page):
    checker = Checker()
    checker.feed(page)
    assert checker.faults == []
    assert checker.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(checker.tags)
    assert checker.tags.count("h1") == 1
    assert checker.tags.count("table") == checker.tags.count("caption")
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        root = ET.fromstring(drawing)
        assert root.get("viewBox")
        assert root.find("title").text
        assert root.find("desc").text


def test_pages_are_well_formed_and_need_nothing_else(kind, pages):
    page = pages[kind]
    check(page)
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert not re.search(r"https?:|url\(|@import|src=|href=.[^#]", page)


def test_the_numbers_of_the_page_are_those_of_the_view(pages, study, view):
    shown, page = view(*study("whole")), pages["whole"]
    for bar in shown.numbers.bars:
        assert shown.numbers.shown(bar.value) in page
    assert shown.card.gain.short in page
    assert shown.card.gain.interval in page
    for row in shown.trials.rows:
        if row.values:
            assert f'<td class="n">{words.score(row.values[0])}</td>' in page
        if row.gain:
            assert row.gain.give_or_take in page
    assert shown.head in page
    assert shown.noise.seed is not None
    assert words.number(shown.noise.floor, 3) in page


def test_hostile_names_are_inert_on_the_page(made):
    spec, events = made.hostile()
    page = html.page(view_of(made.HOSTILE + "\ud800", spec, fold(events), made.HOSTILE))
    page.encode()
    check(page)
    assert "49" not in re.findall(r"\{\{.*?\}\}|49", page)
    assert not re.search("[\x00\u202e\ud800]", page)
    assert len(page) < 100_000


def test_a_thousand_trials_are_all_listed(view, made):
    spec = made.plan_on_data()
    page = html.page(view(spec, made.searched(spec, 1000)))
    assert page.count('<th scope="row" class="n">') == 1000
    assert len(page.encode()) < 2_000_000


def test_of_many_trials_the_telling_ones_are_listed(view, made):
    spec = made.plan_of_objective(budget=Budget(trials=5000))
    shown = view(spec, made.searched(spec, 5000, failed=range(7, 5000, 7)))
    page = html.page(shown)
    listed = {int(n) for n in re.findall(r'<th scope="row" class="n">(\d+)</th>', page)}
    assert set(shown.trials.ranking[:500]) | {0, 7, 4999} <= listed
    assert f"The other {5000 - len(listed):,} are left out here" in page
    assert "assay export" in page
    assert len(page.encode()) < 2_000_000


def luminance(colour):
    parts = colour.lstrip("#")
    parts = parts if len(parts) == 6 else "".join(2 * c for c in parts)
    shares = [int(parts[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_is_readable_in_every_theme():
    style = html.style()
    themes = [
        dict(re.findall(r"--(\w+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        for ink in ("ink", "soft", "accent", "bad"):
            assert contrast(theme[ink], theme["paper"]) >= 4.5, (theme, ink)
            assert contrast(theme[ink], theme["raised"]) >= 4.5, (theme, ink)
        assert contrast(theme["quiet"], theme["paper"]) >= 3  # dots
