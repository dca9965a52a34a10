"""A study as runs of MLflow, live: a run for the study, and one nested in it for each trial."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from assay.api.study import Study
from assay.api.times import Times, milliseconds
from assay.core.errors import SpecError, StoreError
from assay.core.events import Created
from assay.report.mlflow_files import REPORTED
from assay.report.mlflow_names import mlflow_names
from assay.tracking.following import News

_LONGEST = 6_000  # characters of a parameter
_STATUS = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class Mlflow:
    """Shows a study as runs: parameters, values, steps, and tags for control, state and standing.

    Args:
        uri: of the tracking server or folder; None: as MLFLOW_TRACKING_URI says.
        experiment: its name; None: the name of the study.

    A study that is followed again goes on in the runs that are there. `reported` is the metric of the
    steps; `gain` is over the control, larger is better. Runs begin and end when their trials did, also
    where a study is shown after its end.

    Raises (here, and when it is told something):
        StoreError: MLflow cannot be reached there, or refuses.
    """

    def __init__(self, uri: str | None = None, experiment: str | None = None) -> None:
        self._uri = uri
        with _said_plainly(uri):
            self._client = MlflowClient(tracking_uri=uri)
        self._name = experiment
        self._runs: dict[int, str] = {}
        self._sent: dict[str, int] = {}
        self._times = Times()

    def begin(self, study: Study) -> None:
        with _said_plainly(self._uri):
            self._begin(study)

    def trial(self, news: News) -> None:
        with _said_plainly(self._uri):
            self._trial(news)

    def end(self, study: Study) -> None:
        with _said_plainly(self._uri):
            self._end(study)

    def _begin(self, study: Study) -> None:
        created: Created = study.history.last(Created)
        self._study, self._objectives = study, study.spec.objectives
        self._params = mlflow_names(study.spec.space.names)
        self._experiment = self._experiment_of(self._name or study.name)
        whose = {"assay.study": study.name, "assay.plan": created.plan}
        there = self._search({**whose, "assay.part": "study"})
        if there:
            self._parent = there[0].info.run_id
            self._client.update_run(self._parent, status="RUNNING")
        else:
            tags = {**whose, "assay.part": "study", "assay.seed": str(study.spec.seed)}
            (first,) = study.store.rows(study.name, most=1)
            self._parent = self._new_run(study.name, tags, milliseconds(first.time))
        for run in self._search({"mlflow.parentRunId": self._parent}):
            if "assay.trial" in run.data.tags:
                self._runs[int(run.data.tags["assay.trial"])] = run.info.run_id

    def _trial(self, news: News) -> None:
        trial, now = news.trial, round(time.time() * 1000)
        self._times.follow(self._study.store, self._study.name)
        began, ended = self._times.milliseconds(trial.number)
        run, params = self._runs.get(trial.number), []
        if run is None:
            tags = {"mlflow.parentRunId": self._parent, **news.words()}
            run = self._runs[trial.number] = self._new_run(f"trial {trial.number}", tags, began)
            params = [Param(self._params[k], _text(v)) for k, v in trial.config.items()]
        last = self._last_step(run)
        metrics = [Metric(REPORTED, v, now, step) for step, v in news.steps if step > last]
        if metrics:
            self._sent[run] = metrics[-1].step
        if news.ended:
            found = news.numbers(self._objectives)
            keys = mlflow_names([*found, REPORTED])
            metrics += [Metric(keys[k], v, ended or now, 0) for k, v in found.items()]
        words = [RunTag(k, v[:_LONGEST]) for k, v in news.words().items()]
        self._client.log_batch(run, metrics, params, words)
        if news.ended:
            self._client.set_terminated(run, _STATUS.get(trial.state, "FINISHED"), ended)

    def _end(self, study: Study) -> None:
        if verdict := study.verdict:
            self._client.set_tag(self._parent, "assay.claim", str(verdict.claim or "NO CLAIM"))
            self._client.set_tag(self._parent, "mlflow.note.content", str(verdict))
        if study.spec.single and study.history.n_ended and any(t.values for t in study.trials):
            best = study.best
            self._client.set_tag(self._parent, "assay.best", str(best.number))
            if best.value is not None:
                (key,) = mlflow_names(self._objectives).values()
                self._client.log_metric(self._parent, key, best.value)
        (last,) = study.store.rows(study.name, after=study.history.length - 1, most=1)
        self._client.set_terminated(self._parent, "FINISHED", milliseconds(last.time))

    def _experiment_of(self, name: str) -> str:
        there = self._client.get_experiment_by_name(name)
        return str(there.experiment_id if there else self._client.create_experiment(name))

    def _search(self, tags: Mapping[str, str]) -> list[Run]:
        asked = " and ".join(f"tags.`{key}` = '{_quoted(value)}'" for key, value in tags.items())
        return list(_pages(self._client, self._experiment, asked))

    def _new_run(self, name: str, tags: Mapping[str, str], began: int) -> str:
        run = self._client.create_run(self._experiment, began, dict(tags), name)
        return str(run.info.run_id)

    def _last_step(self, run: str) -> int:
        if run not in self._sent:
            there = self._client.get_metric_history(run, REPORTED)
            self._sent[run] = max((metric.step for metric in there), default=-1)
        return self._sent[run]


@contextmanager
def _said_plainly(uri: str | None) -> Iterator[None]:
    """What MLflow says of a place that does not answer or is refused, as an error of the user's."""
    try:
        yield
    except MlflowException as error:
        raise StoreError(
            f"MLflow at {uri or 'MLFLOW_TRACKING_URI'} failed. Start a server (`mlflow server`), or "
            f"name a database such as sqlite:///mlflow.db. It says: {str(error)[:300]}"
        ) from error


@dataclass(frozen=True)
class Past:
    """A run that somebody made: its parameters as text, its metrics, and how it ended."""

    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]


def runs_of(uri: str, experiment: str | None = None) -> tuple[str, list[Past]]:
    """The name of an experiment, and its runs, oldest first. Nothing is made where nothing is.

    Args:
        experiment: its name; may be left out when there is one with runs of its own.

    Raises:
        SpecError: no such file or experiment.
        StoreError: MLflow cannot be reached there, or refuses.
    """
    if (place := _path(uri)) and not place.exists():
        raise SpecError(f"There is no {str(place)!r} to read runs of MLflow from.")
    with _said_plainly(uri):
        client = MlflowClient(tracking_uri=uri)
        named = {one.name: one.experiment_id for one in client.search_experiments()}
        wanted = _one_of(uri, experiment, named)
        found = list(_pages(client, named[wanted], ""))
    return wanted, [
        Past(
            run.info.run_name or run.info.run_id,
            run.info.status,
            dict(run.data.params),
            dict(run.data.metrics),
        )
        for run in sorted(found, key=lambda run: run.info.start_time)
    ]


def _one_of(uri: str, wanted: str | None, named: Mapping[str, str]) -> str:
    """The experiment that is meant; "Default", which is always there, only if it is named."""
    own = sorted(name for name in named if name != "Default")
    if wanted is None and len(own) == 1:
        return own[0]
    if wanted is not None and wanted in named:
        return wanted
    known = ", ".join(map(repr, own[:20])) or "only the empty 'Default'"
    said = f"has no experiment {wanted!r}" if wanted else f"has {len(own)} experiments"
    raise SpecError(f"{uri!r} {said}. Name one (experiment=…, --from …); there is: {known}.")


def _path(uri: str) -> Path | None:
    """The file or folder of an address, if that is what it names."""
    for scheme in ("sqlite:///", "file://", "file:"):
        if uri.startswith(scheme):
            return Path(uri.removeprefix(scheme))
    return None if ":" in uri or uri == "databricks" else Path(uri)


def _pages(client: Any, experiment: str, asked: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs([experiment], asked, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]


def _quoted(text: str) -> str:
    return text.replace("'", "")
