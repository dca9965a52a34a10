"""Exports, read back by the libraries that own the forms."""

import json
import os

import pytest

import assay
from assay.api.formats import FORMS, export_as
from assay.core.errors import SpecError


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


def test_a_crate_is_read_by_rocrate(study, tmp_path):
    rocrate = pytest.importorskip("rocrate.rocrate")
    files = export_as(study, "ro-crate", tmp_path / "crate")
    crate = rocrate.ROCrate(str(tmp_path / "crate"))
    named = {entity.id for entity in crate.data_entities}
    assert named == {file.name for file in files} - {"ro-crate-metadata.json"}
    run = crate.dereference("#run")
    assert run.type == "CreateAction"
    assert (
        crate.root_dataset["mentions"].id == "#run"
        or crate.root_dataset["mentions"][0].id == "#run"
    )


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
