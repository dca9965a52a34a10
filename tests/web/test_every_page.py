"""Every page of every kind of study in a real browser: both themes, a phone and a wide screen."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.web.conftest import PORT, Asker, asgi
from tests.web.test_browser import Seen, opened, violations

import assay
from assay.web.lab import Lab, key_of

WIDE, PHONE = 1920, 360
PAGES = ["", "/explore", "/checks", "/trials", "/trials/0", "/trials/3", "/evidence", "/ledger"]


def component(trial):
    return (trial.config["rate"] - 0.3) ** 2 - 0.2 * trial.config["skip"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A storage with a study on data that has all there is, and an ablation with its searches."""
    place = tmp_path_factory.mktemp("whole")
    path = str(place / "lab.db")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ASSAY_HOME", str(place))
        rng = np.random.default_rng(0)
        X = rng.normal(size=(200, 4))
        study = assay.tune(
            "ridge", X, X[:, 0] + rng.normal(size=200), budget=12, test=0.25, checks="full",
            isolation="none", progress=False, storage=path, name="finished",
        )  # fmt: skip
        study.note("by hand, a note about <b>this</b>")
        assay.ablate(
            component, components=[assay.Component("skip")], space=assay.Space(rate=assay.Float(0, 1, default=0.5)),
            budget=8, fresh=4, searches=2, smallest_gain=0.02, isolation="none", storage=path,
        )  # fmt: skip
    return path


def paths_of(path):
    """Every page of every study of a storage."""
    lab = Lab(str(path))
    try:
        names = lab.names()
        counts = {name: lab.study(key_of(name)).outcomes.history.n_trials for name in names}
    finally:
        lab.close()
    both = "&".join(f"study={key_of(name)}" for name in names[:3])
    found = ["/", "/login", "/compare", f"/compare?{both}", "/s/nothing"]
    for name, trials in counts.items():
        if name.startswith("ablation/") and not name.endswith("#1"):
            continue  # like the first
        known = [p for p in PAGES if not p.startswith("/trials/") or int(p[8:]) < trials]
        found += [f"/s/{key_of(name)}{p}" for p in known]
    return found


def unsaid(page):
    """Panels that show nothing and do not say why."""
    return page.evaluate("""[...document.querySelectorAll('.panel')].filter((panel) => {
        const rest = panel.innerText.replace(panel.querySelector('h2').innerText, '').trim();
        return !rest && !panel.querySelector('canvas, svg');
    }).map((panel) => panel.querySelector('h2').innerText)""")


def sideways(page):
    """Tables wider than the screen, but for those of trials, of many numbers, and a column a study."""
    return page.evaluate("""[...document.querySelectorAll('.scroll')]
        .filter((one) => one.scrollWidth > one.clientWidth + 1)
        .filter((one) => !one.closest('details'))
        .map((one) => one.getAttribute('aria-label'))
        .filter((name) => !['Trials', 'Trials of the front, as a table', 'Settings as a table'].includes(name))""")


@pytest.mark.parametrize(("width", "theme"), [(PHONE, "light"), (WIDE, "dark")])
@pytest.mark.parametrize("storage", ["lab", "whole"])
def test_every_page_is_usable_by_all(storage, width, theme, request, serve, browser, axe):
    path = request.getfixturevalue(storage)
    server = serve(path)
    with opened(browser, server, width=width, theme=theme) as (page, seen):
        for address in paths_of(path):
            page.goto(server.url + address)
            if address == "/s/nothing":
                seen.faults.clear()  # the browser's own words about a 404
            for figure in page.locator("[data-figure]").all():
                figure.scroll_into_view_if_needed()
                figure.locator("canvas, .about:not(:empty)").first.wait_for(state="attached")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address
            assert page.evaluate("Object.keys(Object.prototype)") == [], f"a name got in: {address}"
            assert violations(page, axe) == [], address
            assert unsaid(page) == [], address
            if width == PHONE:
                assert sideways(page) == [], address
            assert seen.faults == [], address
        seen.check()


@pytest.mark.parametrize("name", ["finished", "ablation", "ablation/full#1"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_report_is_usable_by_all(name, theme, whole, browser, axe, tmp_path):
    with assay.open_study(whole, name, readonly=True) as study:
        study.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    context = browser.new_context(
        bypass_csp=True, viewport={"width": PHONE, "height": 800}, color_scheme=theme
    )
    page = context.new_page()
    seen = Seen(page, "file:")
    page.goto((tmp_path / "report.html").as_uri())
    assert violations(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    seen.check()
    context.close()


def test_what_was_finished_is_not_steered(whole, serve, browser):
    with opened(browser, serve(whole), f"/s/{key_of('finished')}") as (page, _):
        page.wait_for_selector('.live[data-state="live"]')
        assert page.locator("[data-pulse=phase]").text_content() == "finished"
        assert not page.get_by_role("button", name="Stop").is_visible()


def test_the_row_behind_an_answer_is_on_the_page_that_its_link_leads_to(whole):
    app, door = asgi(whole)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    text = ask.get(f"/s/{key_of('finished')}/evidence").text
    links = re.findall(r'href="(/s/\w+/ledger\?before=\d+)#(row-\d+)"', text)
    assert len(links) > 8
    for address, row in links:
        assert f'id="{row}"' in ask.get(address).text
