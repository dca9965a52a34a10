"""Exports, read back by the libraries that own the forms."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.api.formats import FORMS, export_as
from assay.api.times import Times
from assay.core.errors import SpecError
from assay.math.intervals import Interval
from assay.report.credit import Credit
from assay.report.mlflow_files import run_files
from assay.report.mlflow_names import mlflow_names


@pytest.fixture(scope="module")
def study():
    made = assay.Study(assay.Space(x=assay.Float(0, 1, default=0.5), kind=assay.Choice(["a", "b"])),
                       control={"x": 0.5, "kind": "a"}, name="lab")  # fmt: skip
    for _ in range(4):
        trial = made.ask()
        made.tell(trial, trial.config["x"] ** 2)
    made.tell(made.ask(), failed="out of memory")
    return made


def test_prov_is_read_by_prov(study, tmp_path):
    prov = pytest.importorskip("prov.model")
    (path,) = export_as(study, "prov", tmp_path / "prov.json")
    document = prov.ProvDocument.deserialize(str(path), format="json")
    activities = {str(a.identifier) for a in document.get_records(prov.ProvActivity)}
    assert activities == {f"assay:trial-{n}" for n in range(5)}
    assert len(list(document.get_records(prov.ProvGeneration))) == 4
    agents = {str(a.identifier): a for a in document.get_records(prov.ProvAgent)}
    (kind,) = agents["assay:user"].get_asserted_types()
    assert kind.uri == "http://www.w3.org/ns/prov#Person", "a name of PROV and not just text"


def test_a_card_without_a_badge_speaks_of_none(study, tmp_path):
    (path,) = export_as(study, "model-card", tmp_path / "card.md")
    claim = path.read_text().split("## Result")[1].split()[:2]
    assert claim == ["**NO", "VERDICT**"]
    assert "badge" not in path.read_text()


def test_prov_takes_any_name(tmp_path):
    prov = pytest.importorskip("prov.model")
    odd = assay.Study(
        assay.Space(**{"a b:c/ü": assay.Choice([None, "x"], default=None)}), name="odd"
    )
    odd.tell(odd.ask(), 1.0)
    (path,) = export_as(odd, "prov", tmp_path / "odd.json")
    document = prov.ProvDocument.deserialize(str(path), format="json")
    (config,) = document.get_record("assay:config-0")
    assert [(str(k), v) for k, v in config.attributes] == [("assay:a%20b%3Ac%2F%C3%BC", "null")]


def test_prov_says_how_the_rows_were_divided(tmp_path):
    prov = pytest.importorskip("prov.model")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    tuned = assay.tune("ridge", X, y, budget=3, test=0, isolation="none", checks=False)
    (path,) = export_as(tuned, "prov", tmp_path / "prov.json")
    document = prov.ProvDocument.deserialize(str(path), format="json")
    (derived,) = document.get_records(prov.ProvDerivation)
    assert {str(v) for _, v in derived.formal_attributes if v} == {"assay:splits", "assay:data"}
    used = [r for r in document.get_records(prov.ProvUsage) if "assay:splits" in str(r)]
    assert len(used) == 3


def test_a_crate_is_read_by_rocrate(study, tmp_path):
    rocrate = pytest.importorskip("rocrate.rocrate")
    files = export_as(study, "ro-crate", tmp_path / "crate")
    crate = rocrate.ROCrate(str(tmp_path / "crate"))
    named = {entity.id for entity in crate.data_entities}
    assert named == {file.name for file in files} - {"ro-crate-metadata.json"}
    run = crate.dereference("#run")
    assert run.type == "CreateAction"
    assert run["agent"]["@type"] == crate.root_dataset["author"]["@type"] == "Person"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", run["endTime"])
    assert (
        crate.root_dataset["mentions"].id == "#run"
        or crate.root_dataset["mentions"][0].id == "#run"
    )


CREDIT = Credit(
    license="CC-BY-4.0",
    publisher="University of X <https://ror.org/02mhbdp94>",
    author="Josiah Carberry <https://orcid.org/0000-0002-1825-0097>",
    affiliation="University of X <https://ror.org/02mhbdp94>",
)


def test_a_crate_says_what_was_stated(study, tmp_path):
    rocrate = pytest.importorskip("rocrate.rocrate")
    export_as(study, "ro-crate", tmp_path / "crate", credit=CREDIT)
    root = rocrate.ROCrate(str(tmp_path / "crate")).root_dataset
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert root["author"].id == "https://orcid.org/0000-0002-1825-0097"
    assert root["author"]["name"] == "Josiah Carberry"
    assert root["publisher"].id == root["author"]["affiliation"].id == "https://ror.org/02mhbdp94"
    assert root["publisher"].type == "Organization"
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)


def test_a_crate_without_a_statement_says_that_there_is_none(study, tmp_path):
    rocrate = pytest.importorskip("rocrate.rocrate")
    export_as(study, "ro-crate", tmp_path / "crate")
    root = rocrate.ROCrate(str(tmp_path / "crate")).root_dataset
    assert root["license"]["name"] == "No license stated"
    assert "grants no right" in root["license"]["description"]
    assert "publisher" not in root.properties()
    assert "affiliation" not in root["author"].properties()
    assert root["author"].id == "#user"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"license": "as you like"}, "SPDX|spdx"),
        ({"author": "A <https://orcid.org/0000-0002-1825-0098>"}, "no ORCID"),
        ({"publisher": "X <https://ror.org/12>"}, "no ROR"),
        ({"affiliation": "X <ror>"}, "may have a URL"),
        ({"author": " "}, "needs a name"),
    ],
)
def test_a_mistyped_statement_is_refused(wrong, says):
    with pytest.raises(SpecError, match=says):
        Credit(**wrong)


def test_only_a_crate_takes_statements(study, tmp_path):
    with pytest.raises(SpecError, match="license can be stated in an ro-crate alone"):
        export_as(study, "prov", tmp_path / "prov.json", credit=Credit(license="MIT"))


def test_runs_are_read_by_mlflow(study, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    tracking = pytest.importorskip("mlflow.tracking")
    export_as(study, "mlflow", tmp_path / "runs")
    client = tracking.MlflowClient(f"file:{tmp_path / 'runs'}")
    experiment = client.get_experiment_by_name("lab")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 6
    by_name = {run.info.run_name: run for run in runs}
    control = by_name["trial 0"].data
    assert (control.params, control.metrics["value"]) == ({"x": "0.5", "kind": "a"}, 0.25)
    assert control.tags["mlflow.parentRunId"] == by_name["lab"].info.run_id
    assert by_name["trial 4"].info.status == "FAILED"
    assert "gain" not in by_name["lab"].data.metrics


@pytest.fixture
def mlflow_client(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    tracking = pytest.importorskip("mlflow.tracking")
    return lambda: tracking.MlflowClient(f"file:{tmp_path / 'runs'}")


def runs_of(client, name):
    experiment = client.get_experiment_by_name(name)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_each_run_has_its_own_times_within_those_of_the_study(study, tmp_path, mlflow_client):
    export_as(study, "mlflow", tmp_path / "runs")
    runs = runs_of(mlflow_client(), "lab")
    whole, clock = runs.pop("lab").info, Times()
    clock.follow(study.store, "lab")
    for name, run in runs.items():
        span = run.info.start_time, run.info.end_time
        assert span == clock.milliseconds(int(name.split()[1]))
        assert whole.start_time <= span[0] <= span[1] <= whole.end_time
    client = mlflow_client()
    assert all(client.get_run(run.info.run_id).info.run_name == name for name, run in runs.items())
    starts = [runs[f"trial {n}"].info.start_time for n in range(5)]
    ends = [runs[f"trial {n}"].info.end_time for n in range(5)]
    assert all(end <= start + 1 for end, start in zip(ends, starts[1:], strict=False))


def test_a_trial_that_runs_has_no_end_and_its_steps_are_there(tmp_path, mlflow_client):
    made = assay.Study(assay.Space(x=assay.Float(0, 1, default=0.5)), name="lab")
    trial = made.ask()
    trial.report(1, 3.0)
    trial.report(2, 2.0)
    export_as(made, "mlflow", tmp_path / "runs")
    client = mlflow_client()
    run = runs_of(client, "lab")["trial 0"]
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    steps = client.get_metric_history(run.info.run_id, "reported")
    assert [(m.step, m.value) for m in steps] == [(1, 3.0), (2, 2.0)]


def test_names_that_mlflow_would_make_one_stay_two(tmp_path, mlflow_client):
    names = ["a/b", "a:b", "a_b", "é" * 150, "é" * 149 + "e"]
    made = assay.Study(
        assay.Space({name: assay.Int(0, 9, default=i) for i, name in enumerate(names)}),
        direction={"gain": "minimize", "x[1]": "maximize"}, name="lab",
    )  # fmt: skip
    made.tell(made.ask(), {"gain": 3.0, "x[1]": 4.0})
    export_as(made, "mlflow", tmp_path / "runs")
    data = runs_of(mlflow_client(), "lab")["trial 0"].data
    assert sorted(data.params.values()) == ["0", "1", "2", "3", "4"]
    assert data.params["a_b"] == "2", "what MLflow takes keeps its name"
    assert data.metrics == {"gain": 3.0, "x_1_": 4.0}


@given(st.sets(st.text(st.sampled_from("ab_/:é.- "), min_size=1, max_size=6), max_size=8))
def test_names_for_mlflow_are_as_many_as_there_were_and_do_not_depend_on_their_order(names):
    found = mlflow_names(sorted(names))
    assert len(set(found.values())) == len(names)
    assert found == mlflow_names(sorted(names, reverse=True))
    assert all(re.fullmatch(r"[\w\-][\w.\- ]*", key) for key in found.values())


def test_the_parent_run_has_the_gain_and_a_stopped_trial_is_over(study):
    stopped = replace(study.trials[0], state="stopped")
    row = {"values": {}, "gain": None, "standing": None}
    when = {"span": (0, 3_600_000), "times": {0: (0, None)}}
    gain = Interval(0.5, 0.25, 0.75, 0.1, 9.0, "t", 10)
    files = dict(run_files("lab", [(stopped, row)], tags={}, gain=gain, **when))
    found = {
        path.split("/")[-1]: text.split()[1]
        for path, text in files.items()
        if "/metrics/" in path and text
    }
    assert found == {"gain": "0.5", "gain_low": "0.25", "gain_high": "0.75"}
    (of_trial,) = [
        text for path, text in files.items() if path.endswith("meta.yaml") and "trial 0" in text
    ]
    assert "status: 5" in of_trial, "KILLED, and not RUNNING for ever"


def test_a_model_card_has_what_the_log_knows(study, tmp_path):
    (path,) = export_as(study, "model-card", tmp_path / "card.md")
    text = path.read_text("utf-8")
    assert text.startswith("# Model card: lab")
    assert study.store.rows("lab")[-1].hash[:12] in text


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_overwritten(study, form, tmp_path):
    with pytest.raises(SpecError, match="exists"):
        export_as(study, form, tmp_path)


def test_an_unknown_form_is_refused(study, tmp_path):
    with pytest.raises(SpecError, match="prov"):
        export_as(study, "prof", tmp_path / "x")


def test_names_do_not_leave_the_folder(tmp_path):
    made = assay.Study(assay.Space(**{"a/b": assay.Float(0, 1, default=0.1)}), name="../up")
    made.tell(made.ask(), 1.0)
    files = export_as(made, "mlflow", tmp_path / "runs")
    assert all(os.path.realpath(file).startswith(str(tmp_path / "runs")) for file in files)
    assert json.dumps([str(f) for f in files])


def test_a_paused_trial_has_ended_until_somebody_goes_on_with_it(tmp_path, mlflow_client):
    space = assay.Space(x=assay.Float(0, 1), fidelity=assay.Fidelity("epochs", 1, 9))
    made = assay.Study(space, name="lab", scheduler="asha")
    trial = made.ask()
    trial.report(1, 3.0)
    made.tell(trial, 3.0)
    assert made.history.state(0) == "paused"
    assert Times().follow(made.store, "lab")[0][1] is not None
    export_as(made, "mlflow", tmp_path / "runs")
    run = runs_of(mlflow_client(), "lab")["trial 0"]
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    first = made.store.rows("lab", after=0, most=9)[-1]
    events = [b'{"type":"%s","trial":0}' % kind for kind in (b"asked", b"paused", b"resumed")]
    rows = [first._replace(seq=i, body=body) for i, body in enumerate(events)]
    assert Times().update(rows) == {0: (0.0, None)}
