"""Every page and export: there, inert whatever names hold, and the same as the command line says."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from benchmarks.web.studies import events_of, spec_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.web.conftest import HOST, HOSTILE, PORT, Asker, asgi, filled, hostile_names

import assay
from assay.api.reporting import looks_of
from assay.checks.about import ABOUT
from assay.core.events import Ablated, Created, Enqueued, Noted, Varied
from assay.report import words
from assay.report.plots.outcomes import Outcomes
from assay.web.assets import assets
from assay.web.data import FIGURES
from assay.web.lab import Lab, key_of
from assay.web.pages import PARTS
from assay.web.trial import trial_page

STUDIES = ["empty", "one", "hundred", "two"]
PATHS = ["", "/explore", "/checks", "/evidence", "/trials", "/trials?by=best", "/trials?by=failed", "/trials?by=running",
         "/trials?by=oldest&page=2", "/ledger", "/ledger?before=5", "/report", "/trials.csv"]  # fmt: skip


class Page(HTMLParser):
    """What would run, load or break if a name got through."""

    def __init__(self, text):
        super().__init__()
        self.faults, self.ids, self.labels = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.faults += [f"{n} on {tag}" for n in named if n.startswith("on") or n == "style"]
        if tag in ("img", "iframe", "object", "embed", "base"):
            self.faults.append(tag)
        if tag == "script" and not (named.get("src") or "").startswith("/static/"):
            self.faults.append("script")
        for n in ("href", "src", "action"):
            value = named.get(n)
            if value and not re.match(r"^(/[sclL/]|/$|#|\?|/compare|/login)", value):
                self.faults.append(f"{n}={value[:60]}")
        if named.get("id"):
            self.ids.append(named["id"])


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("path", PATHS)
def test_pages_are_there(name, path, ask):
    found = ask.get(f"/s/{key_of(name)}{path}")
    assert found.status_code == 200
    if found.headers["content-type"].startswith("text/html") and path != "/report":
        page = Page(found.text)
        assert page.faults == []
        assert len(page.ids) == len(set(page.ids)), "an id twice"
        assert found.text.count("<h1") == 1


def test_the_list_shows_an_ablation_as_one_and_its_searches_apart(tmp_path):
    spec, path = spec_of(2), tmp_path / "lab.db"
    parts = [f"svm/-scaler#{n}" for n in (1, 2)]
    varied = [Varied("a", name, spec.plan, (), n, {}) for n, name in enumerate(parts)]
    filled(path, "svm", [Created(spec.to_json(), spec.plan), Ablated("a", {"budget": {}}), *varied])
    for name in (*parts, "other/study"):
        filled(path, name, events_of(spec, 2))
    app, door = asgi(path)
    page = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"}).get("/").text
    rows = re.findall(r"<tr><td>.*?</tr>", page, flags=re.DOTALL)
    assert [re.search(r"<bdi>(.*?)</bdi>", row)[1] for row in rows] == ["other/study", "svm"]
    assert ">2 searches<" in rows[1]
    (apart,) = re.findall(
        r"<details><summary>2 searches of ablations.*?</details>", page, flags=re.DOTALL
    )
    assert [key_of(name) in apart for name in parts] == [True, True]


def test_the_list_says_how_many_trials_are_on_the_front(ask):
    page = ask.get("/").text
    row = next(r for r in re.findall(r"<tr><td>.*?</tr>", page, flags=re.DOTALL) if ">two<" in r)
    assert re.search(r'data-of="best">front of [1-9]\d*<', row)


def test_an_ablation_has_an_overview_of_its_own(tmp_path):
    spec, path, part = spec_of(2), tmp_path / "lab.db", "svm/-scaler#1"
    varied = Varied("a", part, spec.plan, ("pca",), 0, {})
    planned = Ablated("a", {"budget": {}})
    filled(path, "svm", [Created(spec.to_json(), spec.plan), planned, varied])
    filled(path, part, events_of(spec, 2))
    app, door = asgi(path)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    page = ask.get(f"/s/{key_of('svm')}").text
    assert f'<a href="/s/{key_of(part)}">' in page, "the way to its searches"
    assert "1 of its searches has begun" in re.sub(r"<[^>]+>", "", page)
    for idle in ("History", "Try a config next", "How the trials went", "trials ended"):
        assert idle not in page
    assert "History" in ask.get(f"/s/{key_of(part)}").text, "a search is a study as any"


def test_no_browser_runs_a_script_of_an_older_version(ask, monkeypatch):
    """What is kept without asking has its hash in its address; all else is asked for each time."""
    page = ask.get(f"/s/{key_of('one')}").text
    named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert named
    for address in named:
        assert "immutable" in ask.get(address).headers["cache-control"]
    imported = {
        name
        for script in assets().values()
        for name in re.findall(r'(?:from|import\() ?"\./([\w.]+)"', script.body.decode())
    }
    assert {"panels.js", "echarts.js"} <= imported
    for name in imported:
        kept = ask.get(f"/static/{name}")
        assert "no-cache" in kept.headers["cache-control"]
        again = {"if-none-match": kept.headers["etag"]}
        assert ask.get(f"/static/{name}", headers=again).status_code == 304
        newer = {**assets(), name: replace(assets()[name], tag="0" * 16)}
        monkeypatch.setattr("assay.web.app.assets", lambda newer=newer: newer)
        assert ask.get(f"/static/{name}", headers=again).status_code == 200
        monkeypatch.undo()


def test_every_figure_and_part_of_every_study(ask):
    for name in STUDIES:
        key = key_of(name)
        for figure in FIGURES:
            found = ask.get(f"/s/{key}/figure/{figure}")
            if found.status_code == 400:
                assert "two" in found.json()["error"]
                continue
            assert found.status_code == 200, (name, figure, found.text[:300])
            form = found.json()
            assert {"kind", "title", "about", "panels", "table", "notes"} <= form.keys()
            assert "NaN" not in found.text
            tag = found.headers["etag"]
            again = ask.get(f"/s/{key}/figure/{figure}", headers={"if-none-match": tag})
            assert again.status_code == 304
        for part in PARTS:
            assert ask.get(f"/s/{key}/part/{part}").status_code == 200


def test_hostile_names_are_inert_everywhere(lab, ask):
    assert len(set(hostile_names())) == 200
    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    key = key_of(name)
    paths = ["/", f"/compare?study={key}&study={key_of('one')}"]
    paths += [f"/s/{key}{p}" for p in PATHS if "csv" not in p]
    paths += [f"/s/{key}/trials/{n}" for n in range(12)] + [f"/s/{key}/part/{p}" for p in PARTS]
    for path in paths:
        found = ask.get(path)
        assert found.status_code == 200, path
        text = found.text
        page = Page(text)
        assert page.faults == [], (path, page.faults[:3])
        assert not re.search("[\x00\x1b\u202e\u2066\ud800]", text), path
        assert "Set-Cookie" not in str(found.headers)
        assert len(text) < 3_000_000, (path, len(text))
    for figure in FIGURES:
        found = ask.get(f"/s/{key}/figure/{figure}")
        assert found.status_code in (200, 400)
        assert found.headers["content-type"] == "application/json"
        assert not re.search("[\x00\x1b\u202e]", found.text)


def test_the_spreadsheet_gets_no_formulas(lab, ask):
    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    found = ask.get(f"/s/{key_of(name)}/trials.csv")
    assert found.headers["content-disposition"] == 'attachment; filename="trials.csv"'
    rows = list(csv.reader(io.StringIO(found.text)))
    assert len(rows) == 13
    assert formulas(found.text) == []


@pytest.mark.parametrize("form", ["files", "model-card", "prov", "ro-crate", "mlflow"])
def test_hostile_names_are_inert_in_every_export(form, lab, tmp_path):
    from assay.api.exporting import export
    from assay.api.formats import export_as

    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    place = tmp_path / "in" / ("card.md" if form == "model-card" else "out")
    place.parent.mkdir()
    with assay.open_study(str(lab), name, readonly=True) as study:
        files = export(study, place) if form == "files" else export_as(study, form, place)
    assert files
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(place) for path in written), "nothing beside it"
    for path in written:
        assert not re.search("[\x00-\x1f\x7f<>\u202e]", str(path.relative_to(tmp_path)))
        content = path.read_bytes().decode("utf-8")
        match path.suffix:
            case ".md":
                assert inert_markdown(content)
            case ".json":
                json.loads(content)
            case ".jsonl":
                assert all(json.loads(line) for line in content.split("\n") if line)
            case ".csv":
                assert not formulas(content)
            case ".html":
                assert Page(content).faults == []
    assert form != "mlflow" or not [p for p in written if ".." in p.parts]


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_hostile_names_are_inert_in_every_form_of_the_report(form, lab):
    from assay.api.reporting import written

    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    with assay.open_study(str(lab), name, readonly=True) as study:
        found = written(study, form).decode("utf-8")
    if form == "json":
        assert json.loads(found)["name"]
    elif form == "md":
        assert inert_markdown(found)
    else:
        assert Page(found).faults == []
    unseen = (
        "[\x00\x1b]" if form == "json" else "[\x00\x1b\u202e\u2066]"
    )  # JSON gives names as they are
    assert not re.search(unseen, found)


def inert_markdown(text):
    """No tag, link or image that a viewer of Markdown would make of it, and no unseen character."""
    spoken = re.sub(r"`[0-9a-f]*`", "", text)
    return not re.search(r"(?<!\\)<\s*[a-zA-Z/!]|(?<!\\)\]\(|[\x00\x1b\u202e\u2066]", spoken)


def formulas(text):
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    return [c for c in cells if c.lstrip(" ").startswith(("=", "+", "@", "\t", "\r", "|", "%"))]


def test_actions_are_events_with_who_did_them(tmp_path):
    path = str(tmp_path / "lab.db")
    space = assay.Space(x=assay.Float(0, 1, default=0.5))
    with assay.Study(space, storage=path, name="lab"):
        pass
    app, door = asgi(path)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    base = f"/s/{key_of('lab')}"
    assert ask.post(f"{base}/note", {"text": HOSTILE[0]}).json() == {"done": "Noted."}
    assert (
        ask.post(f"{base}/enqueue", {"config": {"x": 0.25}, "note": "why not"}).status_code == 200
    )
    refused = {
        ("note", json.dumps({"text": "  "})): "needs a text",
        ("note", json.dumps({"text": "a", "trial": 7})): "no trial 7",
        ("note", json.dumps({"text": "a", "colour": 1})): "unknown field",
        ("note", "[" * 5000): "not what is expected",
        ("enqueue", json.dumps({"config": {"x": 9}})): "outside",
        ("enqueue", json.dumps({"config": {"y": 1}})): "y",
        ("steer", json.dumps({"wish": "explode"})): "not what is expected",
        ("steer", json.dumps({"wish": "stop"})): "Nobody drives",
    }
    headers = {"content-type": "application/json", "origin": f"http://{HOST}"}
    for (act, body), why in refused.items():
        found = ask("POST", f"{base}/{act}", content=body.encode(), headers=headers)
        assert 400 <= found.status_code < 500
        assert why in found.json()["error"], found.text
    with assay.open_study(path, "lab") as study:
        rows = study.store.rows("lab")
        assert [e for e in study.history.milestones() if isinstance(e, Noted)] == [
            Noted(HOSTILE[0])
        ]
        assert study.history.waiting == [Enqueued({"x": 0.25}, "dashboard", "why not")]
        assert all(row.actor.endswith(" by dashboard") for row in rows[1:])
        assert study.verify() == []
    assert HOSTILE[0] not in ask.get(base).text


def test_every_limit_of_the_budget_is_shown_from_one_source(tmp_path):
    from assay.analysis.spending import limits

    budget = assay.Budget(
        trials=50, looks=60, seconds=1000, cpu_seconds=900, cpu_hours=1, gpu_hours=2, kwh=0.5,
        kgco2e=0.25, money=3,
    )  # fmt: skip
    spec = replace(
        spec_of(50), budget=budget,
        rates=assay.Rates(watts=100.0, gpus=1, g_per_kwh=400.0, price_per_kwh=0.5, currency="CHF", meter="model"),
    )  # fmt: skip
    path = tmp_path / "lab.db"
    filled(path, "lab", events_of(spec, 20))
    app, door = asgi(path)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    text = ask.get(f"/s/{key_of('lab')}/part/cost").text
    shown = re.findall(r'<p class="budget"><label>([^:]+): ([\d.,e−]+) of ([\d.,]+)', text)
    assert [name for name, *_ in shown] == [
        "trials", "looks", "s", "CPU s", "CPU hours", "GPU hours", "kWh", "kg CO₂e", "CHF",
    ]  # fmt: skip
    with assay.open_study(str(path), "lab", readonly=True) as study:
        known = limits(study.spec, budget, study.history)
    for (_, used, _), limit in zip(shown, known, strict=True):
        if limit.name != "seconds":
            assert used == words.number(limit.used)
            assert limit.used > 0


def test_the_checks_have_a_page_whose_links_lead_to_what_each_means(ask, lab):
    assert "there is none to check" in ask.get(f"/s/{key_of('hundred')}/checks").text
    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    text = ask.get(f"/s/{key_of(name)}/checks").text
    links = re.findall(r'href="#(about-\d+)"', text)
    assert len(links) == 42
    assert all(text.count(f'id="{link}"') == 1 for link in links)
    assert ABOUT["PF01"].looks[:40] in text
    assert "Overridden" in text
    assert 'class="light light-care"' in text


def test_the_ledger_shows_the_chain(ask, lab):
    key = key_of("hundred")
    rows = SqliteRows(lab)
    seen = []
    before = len(rows)
    while before > 0:
        text = ask.get(f"/s/{key}/ledger?before={before}").text
        hashes = re.findall(r"<td><code>([0-9a-f]{16})</code>", text)
        seen += hashes
        before -= 100
    assert seen == [row.hash[:16] for row in rows[::-1]]


def SqliteRows(path):
    from assay.stores.sqlite import SqliteStore

    return SqliteStore(path, readonly=True).rows("hundred")


def test_filters_are_in_values_or_shares(ask):
    base = f"/s/{key_of('hundred')}/figure/parallel_coordinate?where="
    everyone = ask.get(base.partition("?")[0]).json()["lines"]["trials"]
    few = ask.get(f"{base}value:p0:1e-3:1e-2").json()["lines"]
    assert 0 < len(few["trials"]) < len(everyone)
    same = ask.get(f"{base}share:p0:0.4:0.6").json()["lines"]
    assert same["trials"] == few["trials"]
    trees = ask.get(f"{base}value:p6:tree:tree").json()["lines"]["trials"]
    others = ask.get(f"{base}value:p6:linear:linear").json()["lines"]["trials"]
    assert sorted([*trees, *others]) == sorted(everyone)
    for wrong in (
        "value:nothing:1:2",
        "learning_rate",
        "value:learning_rate:a:b",
        "share:max_depth:x:1",
    ):
        assert ask.get(base + wrong).status_code == 400


def test_a_storage_that_is_not_there_yet(tmp_path):
    path = str(tmp_path / "later.db")
    app, door = asgi(path)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    assert "No study is here yet" in ask.get("/").text
    with assay.Study(assay.Space(x=assay.Float(0, 1)), storage=path, name="now"):
        pass
    assert ">now</bdi>" in ask.get("/").text
    (tmp_path / "broken.db").write_bytes(b"not a database at all" * 100)
    app, door = asgi(tmp_path / "broken.db")
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    found = ask.get("/")
    assert found.status_code == 503
    assert "broken.db" in found.text


def query_of(pairs):
    return urlencode([(k, v.encode("utf-8", "replace")) for k, v in pairs])


text = st.text(max_size=30) | st.sampled_from([h for h in HOSTILE if len(h) < 100])
paths = st.builds(
    lambda head, tail, query: quote((head + tail).encode("utf-8", "replace"), safe="/")
    + (f"?{query}" if query else ""),
    st.sampled_from(
        ["/", "/login", "/static/", "/compare", "/compare/figure", "/s/", f"/s/{key_of('hundred')}",
         f"/s/{key_of('hundred')}/trials/", f"/s/{key_of('two')}/figure/", f"/s/{key_of('one')}/part/",
         *(f"/s/{key_of('hundred')}/{p}" for p in ("explore", "trials", "checks", "evidence", "report", "trials.csv")),
         f"/s/{key_of('hundred')}/ledger", f"/s/{key_of('hundred')}/figure/contour",
         f"/s/{key_of('hundred')}/figure/parallel_coordinate", f"/s/{key_of('two')}/figure/pareto_front"]
    ),
    st.sampled_from(["", "history", "slice", "card", "1", "-1", "/"]) | text,
    st.lists(
        st.tuples(st.sampled_from(["param", "where", "objective", "by", "page", "before", "study", "code", "v"]),
                  text | st.sampled_from(["p0", "o0", "value:p0:0:1", "value:p1:1e999:", "share:p1:nan:1", "value:p5:gini:", "9" * 15, "-1", key_of("one")])),
        max_size=3,
    ).map(query_of),
)  # fmt: skip


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths)
def test_whatever_is_asked_is_answered(path, ask):
    assert ask.get(path).status_code < 500


HELD = ("/s/{key}/stream", "/stream")  # they go on until one leaves: tests with a browser hold them
FILLED = {
    "{key}": [key_of(name) for name in ("empty", "one", "hundred", "two", "nobody's")],
    "{figure}": [*FIGURES, "nothing"], "{part}": [*PARTS, "nothing"], "{number:int}": ["0", "1", "99", "9" * 30],
    "{name}": ["app.js", "nothing"],
}  # fmt: skip
ASKED = st.lists(
    st.tuples(
        st.sampled_from(["param", "where", "objective", "by", "page", "before", "study", "code"]),
        text | st.sampled_from(["p0", "p1", "o0", "value:p0:0:1", "share:p1:nan:1", "9" * 15]),
    ),
    max_size=3,
).map(query_of)


def routes_of(path):
    app, _ = asgi(path)
    return {route.path for route in app._app.routes if "GET" in route.methods}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_address_there_is_answers_whatever_is_asked(data, lab, ask):
    path = data.draw(st.sampled_from(sorted(routes_of(lab) - set(HELD))))
    for gap, values in FILLED.items():
        if gap in path:
            path = path.replace(gap, data.draw(st.sampled_from(values)))
    assert "{" not in path, "an address whose gaps this test does not know"
    found = ask.get(f"{path}?{data.draw(ASKED)}")
    assert found.status_code < 500, found.text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=80)
    | text.map(lambda typed: urlencode({"token": typed.encode("utf-8", "replace")}).encode())
)
def test_whatever_is_typed_to_log_in_is_answered(body, stranger):
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://{HOST}"}
    assert stranger("POST", "/login", content=body, headers=headers).status_code in (401, 413)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
bodies = st.one_of(
    JSON.map(lambda form: json.dumps(form).encode("utf-8", "replace")),
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(["wish", "reason", "text", "trial", "config", "note"]), JSON
    ).map(lambda form: json.dumps(form).encode("utf-8", "replace")),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(act=st.sampled_from(["steer", "note", "enqueue"]), body=bodies)
def test_whatever_is_sent_is_answered(act, body, scratch):
    headers = {"content-type": "application/json", "origin": f"http://{HOST}"}
    found = scratch("POST", f"/s/{key_of('lab')}/{act}", content=body, headers=headers)
    assert found.status_code < 500, found.text


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("scratch") / "lab.db")
    with assay.Study(assay.Space(x=assay.Float(0, 1, default=0.5)), storage=path, name="lab"):
        pass
    app, door = asgi(path)
    return Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})


def test_the_luck_line_is_that_of_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    study = assay.tune(
        "ridge", X, X[:, 0] + rng.normal(size=120), budget=6, test=0, checks=False, isolation="none",
        progress=False, storage=f"sqlite:///{tmp_path}/lab.db", name="ridge",
    )  # fmt: skip
    lab = Lab(str(tmp_path / "lab.db"))
    try:
        shown = lab.study(key_of("ridge")).outcomes.looks
    finally:
        lab.close()
    assert shown == looks_of(study)
    assert 1 <= shown.effective < shown.trials == 5


def test_the_curve_of_a_trial_lists_all_objectives():
    space = assay.Space(x=assay.Float(0, 1, default=0.5))
    study = assay.Study(space, direction={"loss": "minimize", "size": "minimize"})
    trial = study.ask()
    for step in (1, 2):
        trial.report(step, {"loss": 1 / step, "size": 10.0 * step})
    page = trial_page(study.spec, Outcomes(study.spec, study.history), 0)
    assert page.curve.table.heads == ("step", "loss", "size")
    assert page.curve.table.rows == (("1", "1", "10"), ("2", "0.5", "20"))
