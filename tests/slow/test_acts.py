"""The six acts as a person sees them; what they printed last is in results/acts.txt and in docs/acts.md."""

from __future__ import annotations

import io
import json
import re
import resource
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from assay.cli.acts import play

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "acts.txt"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """`played(2)`: what an act printed, and the CPU seconds that it took, child processes included."""
    pytest.importorskip("river")
    pytest.importorskip("statsmodels")
    folder = tmp_path_factory.mktemp("acts") / "demo"
    found = {}

    def one(act):
        if act not in found:
            before, said = spent(), io.StringIO()
            with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
                patch.setenv("COLUMNS", "92")
                play(folder, (act,))
            found[act] = said.getvalue(), spent() - before
        return found[act]

    yield one
    if len(found) == 6:
        times = {f"act {act}, CPU seconds": round(found[act][1]) for act in sorted(found)}
        RESULTS.with_suffix(".json").write_text(json.dumps(times, indent=1) + "\n")
        text = "".join(found[act][0] for act in sorted(found))
        RESULTS.write_text(re.sub(r" +\n", "\n", text).rstrip() + "\n")


def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.mark.parametrize("act", range(6))
def test_an_act_can_be_read_by_a_person(played, act):
    head, *rest = played(act)[0].splitlines()
    assert head.startswith(f"Act {act}. ")
    assert all(len(line) <= 92 or line.startswith("$ ") for line in rest)


def test_validation_promises_what_other_digits_do_not_keep(played):
    line = next(line for line in played(0)[0].splitlines() if line.startswith("mean"))
    promised, best, kept = (float(x) for x in re.findall(r"[+−-]\d+\.\d", line))
    assert promised > best + 3
    assert kept > -1


def test_it_refuses_to_tune_on_chicks(played):
    assert "Fix the data first" in played(1)[0]
    assert "--groups chick" in played(1)[0]


def test_the_tree_gains_and_the_linear_model_does_not(played):
    assert "BETTER [CONFIRMATORY]" in played(2)[0]
    assert "use the tuned settings" in played(2)[0]
    assert "Recommended: keep the defaults" in played(3)[0]


def test_the_scaler_is_worth_nothing_once_both_are_tuned(played):
    assert "tuning effect, not a contribution" in played(4)[0]


def test_the_second_look_is_refused_marked_and_known_again(played):
    assert "Another look is no longer a test" in played(5)[0]
    assert "POST-HOC (look 2)" in played(5)[0]
    assert re.search(r"\d+ % of these rows were already used", played(5)[0])
