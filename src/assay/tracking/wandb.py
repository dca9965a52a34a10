"""A study as runs of Weights & Biases, in one group; offline unless told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import wandb

from assay.api.study import Study
from assay.core.events import Created
from assay.tracking.following import News


class Wandb:
    """Shows a study as a group of runs, one a trial.

    Args:
        project: its name there.
        folder: where offline runs are kept; `wandb sync` sends them later.
        mode: "offline", or "online" to send them at once.
        entity: the user or team; None: the one that is logged in.

    A trial whose offline run is in the folder already is not written again. A trial that was open
    when an earlier follower was killed gets a run of its own beside the half-written one.
    """

    def __init__(
        self,
        project: str = "assay",
        *,
        folder: str | Path = ".",
        mode: Literal["offline", "online"] = "offline",
        entity: str | None = None,
    ) -> None:
        self._project, self._folder, self._entity = project, Path(folder), entity
        self._mode = mode
        self._open: dict[int, Any] = {}

    def begin(self, study: Study) -> None:
        created: Created = study.history.last(Created)
        self._study, self._plan = study.name, created.plan
        self._objectives = study.spec.objectives
        self._folder.mkdir(parents=True, exist_ok=True)

    def trial(self, news: News) -> None:
        number = news.trial.number
        run = self._open.get(number)
        if run is None:
            if news.ended and self._is_there(number):
                return
            run = self._open[number] = self._begin(news)
        for step, value in news.steps:
            run.log({"reported": value}, step=step)
        if news.ended:
            run.summary.update(news.numbers(self._objectives) | news.words())
            self._open.pop(number).finish(exit_code=int(news.trial.state == "failed"))

    def end(self, study: Study) -> None:
        while self._open:
            self._open.popitem()[1].finish(exit_code=1)

    def _id(self, number: int) -> str:
        return f"{self._plan[:8]}-{number}"

    def _is_there(self, number: int) -> bool:
        return any(self._folder.glob(f"wandb/*run-*-{self._id(number)}"))

    def _begin(self, news: News) -> Any:
        return wandb.init(
            project=self._project,
            entity=self._entity,
            dir=str(self._folder),
            mode=self._mode,
            id=self._id(news.trial.number),
            name=f"{self._study} {news.trial.number}",
            group=self._study,
            job_type=news.trial.origin,
            config=dict(news.trial.config),
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True),
        )
