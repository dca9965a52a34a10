"""export and verify: what leaves the store can be checked, and tampering shows."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from assay import Choice, Float, Int, Space, Study, When, open_study
from assay.api.exporting import export, trials_csv
from assay.core.errors import SpecError


@pytest.fixture
def exported(run, finished, folder):
    done = run("export", "--to", "out", "--storage", finished)
    assert done.exit_code == 0, done.output
    return folder / "out"


def test_an_export_has_all_and_verifies(run, exported, finished):
    study = open_study(finished, readonly=True)
    assert len((exported / "log.jsonl").read_bytes().splitlines()) == study.history.length
    assert len(list(csv.DictReader(io.StringIO((exported / "trials.csv").read_text())))) == 6
    plan = json.loads((exported / "plan.json").read_text())
    assert plan["study"] == "small"
    assert plan["rows"] == study.history.length
    assert "python" in json.loads((exported / "environment.json").read_text())
    done = run("verify", exported / "log.jsonl", "--head", plan["head"])
    assert done.exit_code == 0, done.output
    assert plan["head"] in done.output


def test_a_crate_takes_what_is_stated(run, finished, tmp_path):
    stated = ["--license", "MIT", "--author", "Ada <https://orcid.org/0000-0002-1825-0097>"]
    out = ["export", "--to", tmp_path / "crate", "--storage", finished, *stated]
    refused = run(*out)
    assert refused.exit_code == 2
    assert "--license, --author can be stated in an RO-Crate alone" in " ".join(
        refused.output.split()
    )
    assert run(*out, "--format", "ro-crate").exit_code == 0
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    (root,) = (e for e in graph if e["@id"] == "./")
    assert root["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert root["author"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}


def test_an_export_overwrites_nothing(run, exported, finished):
    done = run("export", "--to", exported, "--storage", finished)
    assert done.exit_code == 2
    assert "new folder" in done.output


def test_without_its_plan_an_export_needs_the_name(run, exported):
    (exported / "plan.json").unlink()
    assert run("verify", exported / "log.jsonl").exit_code == 2
    assert run("verify", exported / "log.jsonl", "--name", "small").exit_code == 0
    assert run("verify", exported / "log.jsonl", "--name", "other").exit_code == 1


def test_a_changed_export_is_found(run, exported):
    log = exported / "log.jsonl"
    whole = log.read_bytes()
    assert b'"values":[0.' in whole
    log.write_bytes(whole.replace(b'"values":[0.', b'"values":[1.', 1))
    done = run("verify", log)
    assert done.exit_code == 1
    assert "was changed" in done.output
    log.write_bytes(whole.replace(b"\n", b"garbage\n", 1))
    assert run("verify", log).exit_code == 1


def test_a_cut_export_is_found_with_its_head(run, exported):
    log, head = exported / "log.jsonl", json.loads((exported / "plan.json").read_text())["head"]
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-3]))
    assert run("verify", log).exit_code == 0, "a shorter log is a log"
    assert run("verify", log, "--head", head).exit_code == 1


def test_a_rewritten_log_with_a_new_chain_is_found_by_replay(run, exported):
    """Whoever can write the file can write new hashes, but not proposals that nobody made."""
    from assay.core.events import decode
    from assay.stores.chain import extend, from_line, genesis, to_lines

    log = exported / "log.jsonl"
    bodies = [from_line(line)[1].body for line in log.read_bytes().splitlines()]
    at = next(i for i, body in enumerate(bodies) if b'"asked","trial":2' in body)
    bodies[at] = (
        bodies[at]
        .replace(b'"criterion":"gini"', b'"criterion":"log"')
        .replace(b'"criterion":"entropy"', b'"criterion":"gini"')
    )
    assert decode(bodies[at])
    rows = extend("small", genesis("small"), bodies, after=0, time="t", actor="a")
    log.write_bytes(b"".join(to_lines("small", rows)))
    done = run("verify", log)
    assert done.exit_code == 1
    assert "not what the sampler proposes" in done.output


def test_a_tampered_storage_is_found(run, finished, folder):
    shutil.copy(finished, folder / "lab.db")
    with sqlite3.connect("lab.db") as db:
        db.execute("drop trigger event_unchanged")
        db.execute("update event set body = replace(body, 'told', 'tqld') where body like '%told%'")
    db.close()
    assert run("verify", "--storage", "lab.db").exit_code in (1, 3)
    assert run("trials", "--storage", "lab.db").exit_code == 3


def test_a_changed_blob_is_found(run, finished, folder):
    shutil.copy(finished, folder / "lab.db")
    with sqlite3.connect("lab.db") as db:
        (script,) = db.execute(
            "select sql from sqlite_master where name = 'blob_unchanged'"
        ).fetchone()
        db.execute("drop trigger blob_unchanged")
        db.execute("update blob set data = x'00' where hash = (select min(hash) from blob)")
        db.execute(script)
    db.close()
    done = run("verify", "--storage", "lab.db")
    assert done.exit_code == 1, done.output
    assert "blob" in done.output


def test_released_logs_can_be_verified(run):
    log = Path(__file__).resolve().parents[1] / "fixtures" / "logs" / "0.1.0.jsonl"
    done = run("verify", log, "--name", "größe")
    assert done.exit_code in (0, 1)
    assert "hash" not in done.output.partition("Head")[0]


def test_a_predicate_whose_code_is_lost_is_a_note_not_a_fault(run):
    space = Space(x=Float(0, 1, default=0.5), forbid=lambda config: config["x"] > 0.9)
    with Study(space, storage="lab.db", name="lab") as study:
        for _ in range(4):
            study.tell(study.ask(), 1.0)
    done = run("verify", "--storage", "lab.db")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Not checked: whether the sampler proposes its configs again.")
    assert "nothing wrong: chain, steps and stored rows." in done.output
    with sqlite3.connect("lab.db") as db:
        db.execute("drop trigger event_unchanged")
        db.execute("update event set body = replace(body, '[1.0]', '[2.0]') where seq = 2")
    db.close()
    assert run("verify", "--storage", "lab.db").exit_code == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "|", "\n="])
def test_no_cell_is_a_formula(start, folder):
    text = f"{start}cmd|'/c calc'!A1"
    study = Study(Space({text: Choice([text, "b"], default=text), "x": Float(-1, 1, default=-1.0)}))
    study.tell(study.ask(), failed=text)
    rows = list(csv.reader(io.StringIO(trials_csv(study), newline="")))
    texts = [cell for row in rows for cell in row if "cmd" in cell]
    assert texts
    assert all(cell[0] == "'" or cell.startswith(("config ", "raised: ")) for cell in texts)
    assert "-1.0" in rows[1], "numbers stay numbers"


def test_the_table_has_a_column_for_each_parameter_and_a_row_for_each_trial():
    space = Space(
        kind=Choice(["tree", "linear"], default="tree"),
        depth=When("kind", "tree", Int(1, 9, default=3)),
    )
    study = Study(space, direction={"loss": "minimize", "size": "minimize"}, sampler="random")
    assert set(map(len, study.table().values())) == {0}
    study.enqueue({"kind": "linear"})
    for size in range(2):
        study.tell(study.ask(), {"loss": 0.5, "size": size})
    study.tell(study.ask(), failed="boom")
    frame = pd.DataFrame(study.table())
    assert list(frame["number"]) == [0, 1, 2]
    assert list(frame["value size"])[:2] == [0, 1]
    assert frame["value loss"].isna()[2]
    assert list(study.table()["config depth"])[:2] == [3, None]
    assert next(iter(csv.reader(io.StringIO(trials_csv(study))))) == list(frame.columns)


def test_an_export_that_cannot_be_written_says_so(folder):
    (folder / "file").write_text("")
    study = Study(Space(x=Float(0, 1, default=0.5)))
    with pytest.raises(SpecError, match="Cannot export"):
        export(study, folder / "file")


@pytest.mark.parametrize(
    ("form", "begins"), [("html", "<!doctype html>"), ("md", "# small"), ("json", "{")]
)
def test_the_report_comes_in_other_forms(run, finished, form, begins):
    done = run("report", "--storage", finished, "--format", form, "-o", "-")
    assert done.exit_code == 0
    assert done.stdout.startswith(begins)
    named = run("report", "--storage", finished, "-o", f"page.{form}")
    assert named.output.strip() == f"page.{form}"
    assert Path(f"page.{form}").read_text("utf-8").startswith(begins)
    assert run("report", "--storage", finished, "--format", form).output.strip() == f"report.{form}"


def test_a_pdf_without_a_browser_is_refused_with_a_way_out(run, finished, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = run("report", "--storage", finished, "--format", "pdf")
    assert done.exit_code == 2
    assert "apt-get install chromium" in done.stderr
    assert not Path("report.pdf").exists()


def test_watch_follows_a_study_to_its_end(run, finished):
    done = run("watch", "--storage", finished)
    assert done.exit_code == 0
    assert "done: 6/6 trials" in done.stdout
    assert "finished" in done.stdout


def test_watch_shows_a_study_in_tensorboard_too(run, finished, tmp_path):
    pytest.importorskip("tensorboard")
    done = run("watch", "--storage", finished, "--tensorboard", tmp_path / "board")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "board").glob("trial-*/events.*"))) == 6


def test_runs_of_mlflow_are_imported_with_a_space(run, finished, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    done = run("export", "--storage", finished, "--format", "mlflow", "--to", tmp_path / "runs")
    assert "a run for the study and 6 nested runs" in done.stdout
    assert len(done.stdout.splitlines()) == 1, "one line, not one for each of its files"
    spec = open_study(finished, readonly=True).spec
    (tmp_path / "space.json").write_text(json.dumps(spec.space.to_json()))
    to = ("--storage", tmp_path / "lab.db", "--study", "old", "--space", tmp_path / "space.json")
    uri = f"file:{tmp_path / 'runs'}"
    refused = run("import", "mlflow", uri, *to)
    assert refused.exit_code == 2
    assert "--minimize" in refused.output
    done = run("import", "mlflow", uri, *to, "--minimize", next(iter(spec.objectives)))
    assert done.exit_code == 0, done.output
    assert "6 trials" in done.output


def test_a_metric_that_no_run_has_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow.tracking")
    uri = f"file:{tmp_path / 'runs'}"
    client = mlflow.MlflowClient(uri)
    made = client.create_run(client.create_experiment("theirs")).info.run_id
    client.log_param(made, "x", 0.5)
    client.log_metric(made, "loss", 1.0)
    client.set_terminated(made)
    (tmp_path / "space.json").write_text('{"x": "0.0..1.0"}')
    words = (
        "import",
        "mlflow",
        uri,
        "--space",
        tmp_path / "space.json",
        "--storage",
        tmp_path / "lab.db",
    )
    done = run(*words, "--minimize", "rmse")
    assert done.exit_code == 2
    assert "no run has a metric 'rmse'. there is: 'loss'" in done.output.lower()
    done = run(*words, "--minimize", "loss")
    assert (done.exit_code, done.output) == (0, "Study 'theirs': 1 trial.\n")
