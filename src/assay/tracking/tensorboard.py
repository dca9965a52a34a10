"""A study as event files for TensorBoard: scalars, and the table of its HParams page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from assay.api.study import Study
from assay.core.jsonform import canonical
from assay.core.parameters import Float, Int, Parameter
from assay.tracking.following import News

_STATUS = {"done": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
_FILE = "events.out.tfevents."


class TensorBoard:
    """Shows a study in a folder: `tensorboard --logdir FOLDER`.

    Args:
        folder: one for the study; a folder in it for each trial.

    A trial that is followed again is written anew.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._open: dict[int, EventFileWriter] = {}

    def begin(self, study: Study) -> None:
        self._study, self._objectives = study.name, study.spec.objectives
        names = [*self._objectives, *(("gain",) if study.spec.single else ())]
        columns = [
            hparams.HParam(name, _domain(study.spec.space[name])) for name in study.spec.space
        ]
        config = hparams.hparams_config_pb(
            [*columns, hparams.HParam("assay.origin")], [hparams.Metric(name) for name in names]
        )
        writer = self._writer(self._folder)
        writer.add_event(_event(config))
        writer.close()

    def trial(self, news: News) -> None:
        number = news.trial.number
        writer = self._open.get(number)
        if writer is None:
            if news.ended and not news.steps and self._folder_of(number).exists():
                return  # only its standing is another one, and an event file is not edited
            writer = self._open[number] = self._writer(self._folder_of(number))
            writer.add_event(_event(self._start(news)))
        for step, value in news.steps:
            writer.add_event(_scalar("reported", value, step))
        if news.ended:
            for name, value in news.numbers(self._objectives).items():
                writer.add_event(_scalar(name, value, 0))
            writer.add_event(_event(_end(news)))
            self._open.pop(number).close()
        else:
            writer.flush()

    def end(self, study: Study) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _folder_of(self, number: int) -> Path:
        return self._folder / f"trial-{number:05}"

    def _writer(self, folder: Path) -> EventFileWriter:
        for old in folder.glob(f"{_FILE}*"):
            old.unlink()
        return EventFileWriter(str(folder))

    def _start(self, news: News) -> Summary:
        told = {name: _plain(value) for name, value in news.trial.config.items()}
        told["assay.origin"] = news.trial.origin
        return hparams.hparams_pb(told, trial_id=f"{self._study} {news.trial.number}")


def _end(news: News) -> Summary:
    ended = plugin_data_pb2.SessionEndInfo(
        status=_STATUS.get(news.trial.state, api_pb2.STATUS_SUCCESS), end_time_secs=time.time()
    )
    data = metadata.create_summary_metadata(
        plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    )
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=data)
    value.tensor.CopyFrom(metadata.NULL_TENSOR)
    return Summary(value=[value])


def _scalar(tag: str, value: float, step: int) -> Event:
    return Event(
        wall_time=time.time(),
        step=step,
        summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]),
    )


def _event(summary: Summary) -> Event:
    return Event(wall_time=time.time(), summary=summary)


def _domain(parameter: Parameter) -> Any:
    if isinstance(parameter, Int):
        return hparams.IntInterval(parameter.low, parameter.high)
    if isinstance(parameter, Float):
        return hparams.RealInterval(float(parameter.low), float(parameter.high))
    values = [_plain(value) for value in parameter.values]
    alike = len({type(value) for value in values}) == 1
    return hparams.Discrete(values if alike else [str(value) for value in values])


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else canonical(value)
