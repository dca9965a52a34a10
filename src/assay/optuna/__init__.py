"""Assay and Optuna: our samplers in its studies, its objectives in ours, studies carried both ways."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from assay.api.parts import sampler_settings
from assay.core.rng import stream
from assay.core.spec import Direction
from assay.optuna.carried import export_study, import_study
from assay.optuna.follower import Follower
from assay.optuna.keras_words import HyperParameters
from assay.optuna.running import run
from assay.optuna.shape import Basis, outward, parameter_of

__all__ = ["AssaySampler", "HyperParameters", "export_study", "import_study", "run"]


class AssaySampler(BaseSampler):
    """One of Assay's samplers for an Optuna study.

    The space is inferred from the trials that ended. A parameter that was there in some trials only
    is taken to depend on the choices and small whole numbers that tell those trials apart, so that
    conditional parameters are modelled too. A parameter is drawn alone, uniformly on its scale,
    while nothing is known of it: in the first trial, in a branch that is new, when its range
    changes from trial to trial, or when no condition explains where it is. A trial with a value
    outside a range that was changed since is left out.

    Pruned trials count with the last value that they reported, but as no better than the median;
    failed trials and infinite values count as failures. Constraints are kept to; a trial without a
    value of one counts as breaking it. Trials that run are known to the sampler. A finite space is
    not repeated before all of it was tried. Proposals depend on the seed, the number of the trial
    and the trials before, not on the process: a study that is loaded again goes on as it would have.

    Args:
        sampler: name, or name and settings, as in `assay.Study`.
        seed: of everything that is random.

    Raises:
        SpecError: an unknown name or setting; at the first trial, a sampler that cannot search for
            so many objectives; after the first constraint, one that cannot keep to constraints.

    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=AssaySampler("tpe", seed=1))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=20)
    >>> study.best_value < 0.05
    True
    """

    def __init__(self, sampler: str | Mapping[str, Any] = "auto", seed: int = 0) -> None:
        self._settings = sampler_settings(sampler)
        self._seed = seed
        self._followed: WeakKeyDictionary[Study, Follower] = WeakKeyDictionary()
        self._turn = RLock()  # Optuna's n_jobs are threads that share a sampler

    def __reduce__(self) -> Any:
        return AssaySampler, (self._settings, self._seed)

    def reseed_rng(self) -> None:
        """Nothing: trials differ by their numbers, in every thread and process."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Basis:
        """The distributions of the parameters that the sampler proposes together."""
        with self._turn:
            shape = self._follow(study, trial).shape
            return {name: shape.basis[name] for name in shape.names}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Basis
    ) -> dict[str, Any]:
        """The sampler's proposal; without parameters that are inactive in it."""
        with self._turn:
            follower = self._follow(study, trial)
            config = follower.propose(trial.number, stream(self._seed, "trial", trial.number))
            basis = follower.shape.basis
        return {
            name: outward(basis[name], value)
            for name, value in config.items()
            if search_space.get(name) == basis[name]
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value uniform on the scale of the parameter."""
        rng = stream(self._seed, "alone", trial.number, param_name)
        value = parameter_of(param_distribution).from_unit(rng.random())
        return outward(param_distribution, value)

    def _follow(self, study: Study, trial: FrozenTrial) -> Follower:
        follower = self._followed.get(study)
        if follower is None:
            ways: list[Direction] = [
                "maximize" if way == StudyDirection.MAXIMIZE else "minimize"
                for way in study.directions
            ]
            follower = self._followed[study] = Follower(self._settings, self._seed, ways)
        follower.follow(study.get_trials(deepcopy=False), trial.number)
        return follower
