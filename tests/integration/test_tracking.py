"""Studies shown in MLflow, TensorBoard and W&B, read back by these libraries themselves."""

from __future__ import annotations

import pytest

import assay
from assay.api.times import Times
from assay.core.errors import SpecError, StoreError
from assay.tracking import Follower, following

SPACE = assay.Space(
    x=assay.Float(0, 1, default=0.5), n=assay.Int(1, 9, default=3), kind=assay.Choice(["a", "b", None], default="a"),
)  # fmt: skip


def objective(trial):
    for step in (1, 2, 3):
        trial.report(step, trial.config["x"] + 1 / step)
    if trial.number == 4:
        raise MemoryError("no more")
    return trial.config["x"] ** 2 + trial.config["n"] / 100


def a_study(storage=None, trials=6, name="lab"):
    return assay.optimize(
        objective, SPACE, budget=trials, storage=storage, name=name, evidence=None, workers=1, isolation="none",
    )  # fmt: skip


class Noted:
    """Keeps what a tracker is told."""

    def __init__(self):
        self.told, self.begun, self.over = [], 0, 0

    def begin(self, study):
        self.begun += 1

    def trial(self, news):
        self.told.append(news)

    def end(self, study):
        self.over += 1


def test_every_step_and_every_end_is_told_once_whenever_one_looks():
    study = assay.Study(SPACE, scheduler=None)
    tracker = Noted()
    with Follower(study, tracker) as follower:
        for number in range(5):
            trial = study.ask()
            for step in (1, 2, 3):
                trial.report(step, step * 1.5)
                if (number + step) % 2:
                    follower.look()
            study.tell(trial, 1.0 if number else 2.0)
            if number != 3:
                follower.look()
        study.ask()
    steps = {n: [s for news in tracker.told if news.trial.number == n for s in news.steps] for n in range(6)}  # fmt: skip
    assert steps == {**{n: [(1, 1.5), (2, 3.0), (3, 4.5)] for n in range(5)}, 5: []}
    ends = [news.trial.number for news in tracker.told if news.ended]
    assert sorted(set(ends)) == [0, 1, 2, 3, 4]
    first = next(news for news in tracker.told if news.ended and news.trial.number == 1)
    assert first.numbers(["value"]) == {"value": 1.0, "gain": 1.0}
    assert (tracker.begun, tracker.over) == (1, 1)


def test_a_study_is_followed_from_a_thread_while_it_runs(tmp_path):
    storage, tracker = str(tmp_path / "lab.db"), Noted()
    with following(storage, "lab", tracker, every_s=0.05):
        a_study(storage)
    assert {news.trial.number for news in tracker.told if news.ended} == set(range(6))
    assert tracker.over == 1


@pytest.mark.parametrize("stored", [True, False])
def test_a_study_that_never_came_is_said(tmp_path, stored):
    storage, tracker = str(tmp_path / "lab.db"), Noted()
    with (
        pytest.warns(UserWarning, match="Nothing was shown: no study 'other' came to "),
        following(storage, "other", tracker, every_s=0.05),
    ):
        a_study(storage if stored else None, trials=1)
    assert (tracker.begun, tracker.over) == (0, 0)


def test_a_class_in_the_place_of_a_tracker_is_told_to_be_called(tmp_path):
    with (
        pytest.raises(SpecError, match=r"got the class Noted\. Write Noted\("),
        following(str(tmp_path / "lab.db"), "lab", Noted),
    ):
        pytest.fail("the study began")


def test_a_tracker_that_fails_does_not_fail_the_study(tmp_path):
    storage = str(tmp_path / "lab.db")

    class Broken(Noted):
        def trial(self, news):
            raise OSError("no route")

    with (
        pytest.raises(OSError, match="no route"),
        following(storage, "lab", Broken(), every_s=0.05),
    ):
        study = a_study(storage)
    assert study.history.n_ended == 6


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return pytest.importorskip("mlflow.tracking")


def test_mlflow_has_a_run_for_the_study_and_one_for_each_trial(mlflow, tmp_path):
    from assay.tracking.mlflow import Mlflow

    uri, storage = f"file:{tmp_path / 'runs'}", str(tmp_path / "lab.db")
    with following(storage, "lab", Mlflow(uri), every_s=0.05):
        a_study(storage)
    study = assay.open_study(storage, "lab")
    with Follower(study, Mlflow(uri)):  # told again, and nothing is there twice
        pass
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("lab").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(runs) == {"lab", *(f"trial {n}" for n in range(6))}
    control = runs["trial 0"]
    assert control.data.params == {"x": "0.5", "n": "3", "kind": "a"}
    assert control.data.metrics["value"] == pytest.approx(0.28)
    assert control.data.tags["assay.origin"] == "control"
    assert control.data.tags["mlflow.parentRunId"] == runs["lab"].info.run_id
    steps = client.get_metric_history(control.info.run_id, "reported")
    assert [(m.step, m.value) for m in steps] == [(1, 1.5), (2, 1.0), (3, 0.5 + 1 / 3)]
    assert len(client.get_metric_history(control.info.run_id, "value")) <= 2
    assert runs["trial 4"].info.status == "FAILED"
    assert "no more" in runs["trial 4"].data.tags["assay.failure"]
    assert runs["trial 1"].data.metrics["gain"] == pytest.approx(0.28 - study.trials[1].value)
    assert runs["lab"].data.tags["assay.best"] == str(study.best.number)
    assert runs["lab"].info.status == "FINISHED"
    spans = {name: (run.info.start_time, run.info.end_time) for name, run in runs.items()}
    assert all(spans["lab"][0] <= s <= e <= spans["lab"][1] for s, e in spans.values())


def test_a_study_shown_after_its_end_has_the_times_of_its_trials(mlflow, tmp_path):
    from assay.tracking.mlflow import Mlflow

    study = a_study(str(tmp_path / "lab.db"), trials=3)
    with Follower(study, Mlflow(f"file:{tmp_path / 'runs'}")):
        pass
    clock = Times()
    clock.follow(study.store, "lab")
    client = mlflow.MlflowClient(f"file:{tmp_path / 'runs'}")
    found = client.search_runs([client.get_experiment_by_name("lab").experiment_id])
    runs = {run.info.run_name: (run.info.start_time, run.info.end_time) for run in found}
    assert [runs[f"trial {n}"] for n in range(3)] == [clock.milliseconds(n) for n in range(3)]


def test_an_mlflow_that_cannot_be_reached_is_no_bug_of_ours(mlflow, monkeypatch):
    from assay.tracking.mlflow import Mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    study = a_study(trials=1)
    with (
        pytest.raises(StoreError, match=r"MLflow at http://127\.0\.0\.1:9 failed\. Start a"),
        Follower(study, Mlflow("http://127.0.0.1:9")),
    ):
        pass


def test_runs_of_mlflow_become_a_study_to_learn_from(mlflow, tmp_path):
    from assay.tracking.carried import import_runs

    uri, storage = f"file:{tmp_path / 'runs'}", str(tmp_path / "lab.db")
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("theirs")
    for i in range(8):
        run = client.create_run(experiment, run_name=f"run {i}").info.run_id
        for name, value in {"x": i / 10, "n": i + 1, "kind": "None" if i % 2 else "b"}.items():
            client.log_param(run, name, value)
        client.log_metric(run, "loss", (i / 10) ** 2)
        client.set_terminated(run, "FAILED" if i == 5 else "FINISHED")
    study, lost = import_runs(uri, SPACE, metric="loss", storage=storage)
    assert lost == []
    assert [t.state for t in study.trials] == ["done"] * 5 + ["failed"] + ["done"] * 2
    assert study.trials[1].config == {"x": 0.1, "n": 2, "kind": None}
    assert study.verify() == []
    later = assay.Study(SPACE, storage=storage, name="later", learn_from=[study.name])
    asked = [later.ask().config for _ in range(2)]
    assert asked[1]["x"] == 0.0  # after the control, their best


def test_what_runs_have_and_the_space_has_not_is_listed(mlflow, tmp_path):
    from assay.tracking.carried import import_runs

    uri = f"file:{tmp_path / 'runs'}"
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("theirs")
    for x in ("0.5", "7"):
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "x", x)
        client.log_param(run, "seed", 1)
        client.log_metric(run, "loss", 1.0)
        client.set_terminated(run)
    space = assay.Space(x=assay.Float(0, 1))
    with pytest.raises(assay.SpecError, match=r"'seed'.*allow"):
        import_runs(uri, space, metric="loss")
    study, lost = import_runs(uri, space, metric="loss", allow_lossy=True)
    assert study.history.n_trials == 1
    assert sorted(lost) == ["parameter 'seed', which the space has not (2)", "runs that do not fit the space (1)"]  # fmt: skip
    with pytest.raises(assay.SpecError, match="no experiment 'other'"):
        import_runs(uri, space, metric="loss", experiment="other")


@pytest.mark.parametrize("uri", ["sqlite:///nowhere/ml.db", "file:nowhere", "nowhere"])
def test_looking_for_runs_makes_nothing(mlflow, tmp_path, monkeypatch, uri):
    from assay.tracking.carried import import_runs

    monkeypatch.chdir(tmp_path)
    with pytest.raises(assay.SpecError, match="There is no 'nowhere"):
        import_runs(uri, SPACE, metric="loss")
    assert list(tmp_path.iterdir()) == []


def test_what_mlflow_refuses_is_no_bug_of_ours(mlflow, monkeypatch, tmp_path):
    from assay.tracking.carried import import_runs

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreError, match=r"MLflow at http://127\.0\.0\.1:9 failed"):
        import_runs("http://127.0.0.1:9", SPACE, metric="loss")
    client = mlflow.MlflowClient(f"file:{tmp_path}")
    for name in ("one", "two"):
        client.create_experiment(name)
    with pytest.raises(assay.SpecError, match=r"2 experiments. Name one .* 'one', 'two'"):
        import_runs(f"file:{tmp_path}", SPACE, metric="loss")


def test_tensorboard_reads_scalars_and_hyperparameters(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_multiplexer
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    from assay.tracking.tensorboard import TensorBoard

    study = a_study()
    for _ in range(2):  # told again, and nothing is there twice
        with Follower(study, TensorBoard(tmp_path / "board")):
            pass
    events = event_accumulator.EventAccumulator(str(tmp_path / "board" / "trial-00000")).Reload()
    assert [(e.step, round(e.value, 6)) for e in events.Scalars("reported")] == [(1, 1.5), (2, 1.0), (3, 0.833333)]  # fmt: skip
    assert [round(e.value, 6) for e in events.Scalars("value")] == [0.28]
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "board"))
    runs.Reload()
    assert sorted(runs.Runs()) == [".", *(f"trial-{n:05}" for n in range(6))]

    def told(run, tag):
        text = runs.SummaryMetadata(run, tag).plugin_data.content
        return plugin_data_pb2.HParamsPluginData.FromString(text)

    start = told("trial-00000", metadata.SESSION_START_INFO_TAG).session_start_info.hparams
    assert start["x"].number_value == 0.5
    assert start["assay.origin"].string_value == "control"
    ends = [told(f"trial-{n:05}", metadata.SESSION_END_INFO_TAG).session_end_info.status for n in range(6)]  # fmt: skip
    assert ends == [1, 1, 1, 1, 2, 1]
    columns = told(".", metadata.EXPERIMENT_TAG).experiment
    assert [one.name for one in columns.hparam_infos] == ["x", "n", "kind", "assay.origin"]
    assert [one.name.tag for one in columns.metric_infos] == ["value", "gain"]


def test_wandb_keeps_a_run_for_each_trial_offline(tmp_path):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    from assay.tracking.wandb import Wandb

    study = a_study(trials=2)
    for _ in range(2):  # told again, and nothing is there twice
        with Follower(study, Wandb("lab", folder=tmp_path)):
            pass
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    records = [wandb_internal_pb2.Record.FromString(data) for data in logged(files[0])]
    begun = next(r.run for r in records if r.WhichOneof("record_type") == "run")
    assert (begun.project, begun.run_group, begun.job_type) == ("lab", "lab", "control")
    assert {u.key: u.value_json for u in begun.config.update if u.key in SPACE.names} == {"x": "0.5", "n": "3", "kind": '"a"'}  # fmt: skip
    steps = [r.history for r in records if r.WhichOneof("record_type") == "history"]
    assert [h.step.num for h in steps] == [1, 2, 3]
    summary = {u.key or u.nested_key[0]: u.value_json for r in records for u in r.summary.update}
    assert float(summary["value"]) == pytest.approx(0.28)
    assert summary["assay.origin"] == '"control"'


def logged(path):
    """The records of an offline run: blocks of 32 KiB in the log format of LevelDB, after 7 bytes."""
    text, at, whole = path.read_bytes(), 7, b""
    while at < len(text):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(text[at + 4 : at + 6], "little"), text[at + 6]
        whole += text[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a full record, or its last part
            yield whole
            whole = b""
