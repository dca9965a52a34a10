"""A sweeper for Hydra: `python train.py -m hydra/sweeper=assay 'lr=tag(log,interval(1e-5,1e-1))'`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from assay.api.parts import store_at
from assay.api.study import Study
from assay.core.errors import AssayError, SpaceError, SpecError, StateError
from assay.core.jsonform import canonical
from assay.core.parameters import plain
from assay.core.space import Space
from assay.engine.trial import OpenTrial
from assay.spaces.formats import read
from assay.spaces.hydra import flat

_log = logging.getLogger(__name__)


@dataclass
class SweeperConf:
    """The settings of the sweeper, under `hydra.sweeper`.

    Attributes:
        n_trials: how many there are to be, those of an earlier run included.
        n_jobs: how many are given to Hydra's launcher at once.
        direction: "minimize" or "maximize"; a list for a function that returns several numbers.
        seed, sampler: as in `assay.Study`.
        storage: where the study is kept; None: assay.db in the folder of the sweep.
        study: its name.
        params: what is searched, in the words of Hydra's overrides; the command line can add to it.
    """

    _target_: str = "hydra_plugins.assay_sweeper.AssaySweeper"
    n_trials: int = 20
    n_jobs: int = 1
    direction: Any = "minimize"
    seed: int = 0
    sampler: Any = "auto"
    storage: str | None = None
    study: str = "sweep"
    params: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="assay", node=SweeperConf)


class StudySweeper(Sweeper):  # type: ignore[misc]  # it ships no types
    """Runs a Hydra application as a study; the values that the config has are the control.

    See `SweeperConf`. The function returns what is to be small (or large). A job that raises is a
    trial that failed. The best settings are in `optimization_results.yaml` in the folder of the sweep.
    """

    def __init__(self, params: Mapping[str, Any] | None = None, **wishes: Any) -> None:
        self._params = dict(params or {})
        self._wishes = SweeperConf(**wishes)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra before `sweep`."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the study.

        Raises:
            CompactHydraException: the overrides are no space, the study in the storage has another
                plan, or no trial gave a value. Hydra prints it without lines of code; its cause is ours.
        """
        try:
            self._sweep(arguments)
        except AssayError as error:
            raise CompactHydraException(str(error)) from error

    def _sweep(self, arguments: Sequence[str]) -> None:
        wishes = self._wishes
        if wishes.n_trials < 1:
            raise SpecError(f"hydra.sweeper.n_trials needs a number >= 1, got {wishes.n_trials}.")
        searched, fixed = self._parted(arguments)
        if not searched:
            raise SpaceError(
                "Nothing is to be searched. Give ranges, such as 'lr=tag(log,interval(1e-5,1e-1))' or "
                "'model.kind=choice(tree,linear)', or put them into hydra.sweeper.params."
            )
        space, lost = read(searched, "hydra")
        for what in lost:
            _log.warning("Not used: %s", what)
        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        storage = wishes.storage or str(folder / "assay.db")
        study = Study(
            space,
            direction=_plain(wishes.direction),
            seed=wishes.seed,
            sampler=_plain(wishes.sampler),
            control=self._control(space),
            storage=store_at(storage),
            name=wishes.study,
        )
        with study:
            for trial in study.trials:
                if trial.state == "running":
                    study.tell(trial.number, failed="the sweep ended before it did")
            self._run(study, fixed)
            self._say(study, folder)
            _log.info("Look at it: assay report --storage %s %s", storage, study.name)

    def _parted(self, arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """What is searched, by name; and what every job is told."""
        searched, fixed = dict(flat(_plain(OmegaConf.create(self._params)))), []
        for override in OverridesParser.create().parse_overrides(list(arguments)):
            text = override.input_line
            if override.is_sweep_override():
                searched[override.get_key_element()] = text.partition("=")[2]
            else:
                fixed.append(text)
                searched.pop(override.get_key_element(), None)
        return searched, fixed

    def _control(self, space: Space) -> dict[str, Any] | None:
        """The values that the config has now; None if they are not all in the space."""
        own = {name: OmegaConf.select(self.config, name.lstrip("+")) for name in space}
        try:
            return space.settle({name: plain(_plain(value)) for name, value in own.items()})
        except SpaceError as error:
            _log.info("No control: the config's own values are not in the space: %s", error)
            return None

    def _run(self, study: Study, fixed: Sequence[str]) -> None:
        wanted = self._wishes.n_trials
        while (left := wanted - study.history.n_trials) > 0:
            trials = _asked(study, min(left, max(1, self._wishes.n_jobs)))
            if not trials:
                return
            jobs = [
                (*fixed, *(f"{name}={canonical(v)}" for name, v in trial.config.items()))
                for trial in trials
            ]
            self.validate_batch_is_legal(jobs)
            ended = self.launcher.launch(jobs, initial_job_idx=trials[0].number)
            for trial, job in zip(trials, ended, strict=True):
                _tell(study, trial, job)

    def _say(self, study: Study, folder: Path) -> None:
        found: dict[str, Any] = {"name": "assay", "study": study.name}
        if study.spec.single and any(trial.values for trial in study.trials):
            best = study.best
            found |= {
                "best_evaluated_params": dict(best.config),
                "best_evaluated_result": best.value,
            }
            _log.info("Best: %s, %s", best.value, dict(best.config))
        elif study.spec.single:
            failures = [trial.failure.reason for trial in study.trials if trial.failure]
            last = f" The last: {failures[-1]}" if failures else ""
            raise StateError(f"No trial gave a value.{last}")
        else:
            found["solutions"] = [
                {"params": dict(t.config), "values": list(t.values or ())} for t in study.front
            ]
        OmegaConf.save(OmegaConf.create(found), folder / "optimization_results.yaml")


def _asked(study: Study, many: int) -> list[OpenTrial]:
    """So many trials; fewer where the space holds no more."""
    trials = []
    for _ in range(many):
        try:
            trials.append(study.ask())
        except StateError:
            break
    return trials


def _tell(study: Study, trial: OpenTrial, job: JobReturn) -> None:
    reason, value = "", None
    if job.status != JobStatus.COMPLETED:
        reason = f"{type(job._return_value).__name__}: {job._return_value}"
    elif job.return_value is None:
        reason = "the function returned nothing: return what is to be small"
    else:
        value, reason = _numbers(job.return_value)
    if reason:
        _log.warning("Trial %d failed: %s", trial.number, reason)
        study.tell(trial, failed=reason)
    else:
        study.tell(trial, value)


def _numbers(returned: Any) -> tuple[Any, str]:
    """What is told of a trial; or why it is no value."""
    if isinstance(returned, Mapping):
        return dict(returned), ""
    try:
        if isinstance(returned, Sequence) and not isinstance(returned, str):
            return [float(number) for number in returned], ""
        return float(returned), ""
    except (TypeError, ValueError):
        return None, f"the function returned {returned!r:.80}, which is no number"


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


__all__ = ["StudySweeper", "SweeperConf"]
