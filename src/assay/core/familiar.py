"""What other tuners' words are called here: said when somebody writes one that is not ours.

A word is explained where Python would refuse it anyway, so nothing that works costs anything, and
type checkers go on refusing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from assay.core.errors import did_you_mean

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Familiar:
    """A class that tells what an attribute which it lacks is called here.

    >>> class Kettle(Familiar, elsewhere={"boil": "kettle.heat()"}):
    ...     def heat(self): ...
    >>> Kettle().boil
    Traceback (most recent call last):
    AttributeError: 'Kettle' object has no attribute 'boil'. Here: kettle.heat().
    """

    __slots__ = ()
    _elsewhere: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, elsewhere: Mapping[str, str] | None = None) -> None:
        if elsewhere is not None:
            cls._elsewhere = elsewhere

    if not TYPE_CHECKING:  # a type checker would take every name for known

        def __getattr__(self, name: str) -> Any:
            try:
                return object.__getattribute__(self, name)  # Python's own message, or a property's
            except AttributeError as error:
                here = self._elsewhere.get(name)
                if here is None:
                    raise
                raise AttributeError(f"{error}. Here: {here}.", name=name, obj=self) from None


def familiar(**elsewhere: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that explains arguments which it does not have but users of other tuners write.

    >>> @familiar(n_trials="budget=60")
    ... def search(*, budget):
    ...     return budget
    >>> search(budget=3)
    3
    >>> search(n_trials=60)
    Traceback (most recent call last):
    TypeError: search() has no argument 'n_trials'. Here: budget=60.
    >>> search(buget=60)
    Traceback (most recent call last):
    TypeError: search() has no argument 'buget'. Did you mean 'budget'?
    >>> search(60)
    Traceback (most recent call last):
    TypeError: search() takes nothing by position, got 1 argument. Write the others by name: budget=….
    """

    def explained(function: Callable[P, R]) -> Callable[P, R]:
        named = set(signature(function).parameters)
        shown = function.__qualname__.removesuffix(".__init__")
        by_position, by_name = _ways(function)
        most = len(by_position)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) > most:
                raise TypeError(f"{shown}() {_too_many(by_position, by_name, len(args))}")
            for name in kwargs:
                if name not in named:
                    hint = f"Here: {elsewhere[name]}." if name in elsewhere else ""
                    hint = hint or did_you_mean(name, named - {"self"})
                    raise TypeError(f"{shown}() has no argument {name!r}. {hint}")
            return function(*args, **kwargs)

        return call

    return explained


def _ways(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """The names of the arguments that may be given by position, and of those that need their name."""
    arguments = signature(function).parameters.values()
    by_position = [
        p.name for p in arguments if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return by_position, [p.name for p in arguments if p.kind is p.KEYWORD_ONLY]


def _too_many(by_position: list[str], by_name: list[str], given: int) -> str:
    own = by_position[:1] == ["self"]
    first, many = by_position[own:], given - own
    said = f"{many} argument{'' if many == 1 else 's'}"
    rest = ", ".join(f"{name}=…" for name in by_name[:3])
    more = f" Write the others by name: {rest}." if rest else ""
    return f"takes {', '.join(first) or 'nothing'} by position, got {said}.{more}"


def familiar_to_make(**elsewhere: str) -> Callable[[type[T]], type[T]]:
    """The same for the arguments of a class.

    >>> from assay import Budget
    >>> Budget(n_trials=60)
    Traceback (most recent call last):
    TypeError: Budget() has no argument 'n_trials'. Here: trials=….
    """

    def explained(kind: type[T]) -> type[T]:
        kind.__init__ = familiar(**elsewhere)(kind.__init__)  # type: ignore[method-assign]
        return kind

    return explained


ARGUMENTS = {
    "callbacks": "no callbacks; watch with `assay watch`, `assay dashboard` or study.trials",
    "catch": "no need; a trial that raises has failed, and the study goes on",
    "config_space": 'space=…, from `space, lost = assay.spaces.read(form, "configspace")`',
    "directions": 'direction=["minimize", "maximize"], or by name {"loss": "minimize"}',
    "func": "objective=…, a function of a trial that reads trial.config",
    "load_if_exists": "no need; a study with this name in its storage goes on",
    "max_evals": "budget=assay.Budget(trials=…)",
    "mode": 'direction="minimize" or "maximize"',
    "n_calls": "budget=assay.Budget(trials=…)",
    "n_iter": "budget=assay.Budget(trials=…)",
    "n_jobs": "workers=…",
    "n_trials": "budget=assay.Budget(trials=…)",
    "num_samples": "budget=assay.Budget(trials=…)",
    "param_space": "space=assay.Space(…)",
    "params": "space=assay.Space(…)",
    "points_to_evaluate": "given=[{…}], or study.enqueue(config)",
    "pruner": 'scheduler="asha" (or "hyperband", "median", …)',
    "random_state": "seed=…",
    "search_space": "space=assay.Space(…)",
    "show_progress_bar": "progress=True",
    "study_name": "name=…",
    "time_budget_s": "budget=assay.Budget(seconds=…)",
    "timeout": "budget=assay.Budget(seconds=…), or limits=assay.Limits(…) for one evaluation",
}
"""Arguments of Optuna, Ray Tune, Hyperopt, skopt and FLAML, for whatever makes a study here."""

BUDGET = {
    "cost": "money=…, with rates=assay.Rates(…)",
    "cpu": "cpu_seconds=… or cpu_hours=…",
    "epochs": "steps=…, all trials together",
    "evaluations": "looks=…",
    "hours": "seconds=…",
    "max_evals": "trials=…",
    "minutes": "seconds=…",
    "n_iter": "trials=…",
    "n_trials": "trials=…",
    "num_samples": "trials=…",
    "time": "seconds=…",
    "time_budget_s": "seconds=…",
    "timeout": "seconds=…",
    "wall": "seconds=…",
}
LIMITS = {
    "max_retries": "retries=…",
    "memory": "memory_mb=…",
    "memory_gb": "memory_mb=…",
    "time": "seconds=…",
    "timeout": "seconds=…",
}
RANGE = {
    "base": "log=True; the base makes no difference",
    "bounds": "low, high",
    "lower": "low",
    "max": "high",
    "max_value": "high",
    "min": "low",
    "min_value": "low",
    "name": "Space(name=…)",
    "prior": "default=…, or beliefs={name: assay.Belief(…)} for what makes the study",
    "q": "step=…",
    "sampling": "log=True",
    "upper": "high",
}
CHOICE = {
    "categories": "values",
    "choices": "values",
    "items": "values",
    "name": "Space(name=…)",
    "options": "values",
    "ordered": "assay.Ordinal([…])",
    "weights": "beliefs={name: assay.Belief(…)} for what makes the study",
}


MODEL_ARGUMENTS = {
    "cv": "splits=assay.Splits.kfold(5), .grouped(5), .forward(5), …",
    "param_distributions": "space=assay.Space(…)",
    "param_grid": "space=assay.Space(…); assay.sklearn.SearchCV takes grids as they are",
    "sample_weight": "no weights; assay.sklearn.SearchCV(…).fit(X, y, sample_weight=…) takes them",
    "scoring": "metric=…",
    "test_size": "test=…, the share of rows to seal",
}
"""Arguments of scikit-learn's searches, for what tunes a model."""

RUN_ARGUMENTS = {
    "callbacks": "no callbacks; watch with `assay watch`, `assay dashboard` or study.trials",
    "directions": 'direction=["minimize", "maximize"]',
    "func": "objective=…, by position",
    "gc_after_trial": "no need; leave it out",
    "load_if_exists": "no need; the same storage and name go on",
    "n_jobs": "one trial at a time; for several, write the space down and use assay.optimize(…, workers=…)",
    "pruner": "nothing is pruned; write the space down and use assay.optimize(…, scheduler=…)",
    "show_progress_bar": "no bar; `assay watch` shows a study with a storage",
    "study_name": "name=…",
}
"""Arguments of Optuna's `create_study` and `optimize`, for `assay.optuna.run`."""

TELL_ARGUMENTS = {
    "skip_if_finished": "no need; leave it out",
    "state": 'failed="why" for a failure; a value is a success',
    "values": "value=…, a number, a list or numbers by name",
}

PART_NAMES = {
    "ashascheduler": "asha",
    "asynchyperband": "asha",
    "asynchyperbandscheduler": "asha",
    "bayes": "auto",
    "bayesian": "auto",
    "bayesianoptimization": "gp",
    "bo": "gp",
    "bohb": "hyperband",
    "botorch": "gp",
    "bruteforce": "grid",
    "cmaes": "cmaes",
    "gridsearch": "grid",
    "hyperopt": "tpe",
    "medianstoppingrule": "median",
    "nop": "none at all: leave it out",
    "nsgaii": "evolution",
    "nsgaiii": "evolution",
    "optuna": "tpe",
    "qmc": "sobol",
    "randomsearch": "random",
    "successivehalving": "asha",
    "wilcoxon": "racing",
}
"""What samplers and schedulers of others are here, in small letters, without "sampler" and the like."""


def here_called(theirs: Any) -> str:
    """What a sampler, pruner or scheduler of another tuner is here, in words; empty if nobody knows.

    >>> here_called("NSGAIISampler"), here_called("MedianPruner")
    (" Here: 'evolution'.", " Here: 'median'.")
    """
    name = theirs if isinstance(theirs, str) else type(theirs).__name__
    plain = name.lower().replace("-", "").replace("_", "")
    for word in ("sampler", "pruner", "scheduler", "oracle"):
        plain = plain.removesuffix(word)
    same = plain in ("tpe", "gp", "random", "grid", "median", "percentile", "hyperband", "asha")
    here = plain if same and plain != name else PART_NAMES.get(plain)
    return f" Here: {here if ' ' in here else repr(here)}." if here else ""


def written_here(value: object) -> str:
    """What a range or a list of values is written as, in a sentence; empty if it is neither.

    >>> written_here((0.1, 1)), written_here(["a", "b"])
    (' Write Float(0.1, 1).', " Write Choice(['a', 'b']).")
    """
    numbers = [type(end) for end in value] if isinstance(value, tuple) else []
    if len(numbers) == 2 and set(numbers) <= {int, float}:
        kind = "Int" if set(numbers) == {int} else "Float"
        return f" Write {kind}{value!r:.60}."
    if isinstance(value, list | tuple | set):
        return f" Write Choice({list(value)!r:.60})."
    return (
        " Write Constant(…) for one value." if isinstance(value, str | bool | int | float) else ""
    )


_RACING = 'scheduler="racing", which fits a hopeless candidate on some splits only'
SEARCH_ARGUMENTS = {
    "aggressive_elimination": _RACING,
    "callbacks": "search.set_callbacks(…), with scikit-learn 1.9 and newer",
    "early_stopping": _RACING,
    "enable_pruning": _RACING,
    "factor": _RACING,
    "fit_params": "search.fit(X, y, sample_weight=…)",
    "groups": "search.fit(X, y, groups=…)",
    "iid": "no need; splits are never weighted",
    "max_iter": _RACING,
    "max_resources": _RACING,
    "max_time": "timeout=…, in seconds",
    "max_trials": "n_trials=…",
    "metric": "scoring=…",
    "min_resources": _RACING,
    "n_candidates": "n_trials=…",
    "n_iter": "n_trials=…, with the estimator's own values as the first",
    "n_points": "batch=…",
    "optimizer_kwargs": 'sampler={"name": "gp", …}',
    "param_distributions": "space=…, the same dicts of lists and distributions",
    "param_grid": "space=…, the same dicts of lists",
    "resource": _RACING,
    "sample_weight": "search.fit(X, y, sample_weight=…)",
    "search_optimization": "sampler=…",
    "search_spaces": "space=…, with distributions of scipy.stats or Assay's parameters",
    "seed": "random_state=…",
    "study": "storage=… and study_name=…; after fit it is search.study_",
    "time_budget": "timeout=…, in seconds",
    "time_budget_s": "timeout=…, in seconds",
}
"""Arguments of scikit-learn's searches, OptunaSearchCV, BayesSearchCV and TuneSearchCV, for SearchCV."""

STUDY = {
    "add_trial": "study.enqueue(config) to evaluate it; assay.optuna imports whole studies",
    "add_trials": "study.enqueue(config) to evaluate one; assay.optuna imports whole studies",
    "best_config": "study.best.config",
    "best_params": "study.best.config",
    "best_result": "study.best",
    "best_score": "study.best.value",
    "best_trial": "study.best",
    "best_trials": "study.front",
    "best_value": "study.best.value",
    "direction": "study.spec.directions",
    "directions": "study.spec.directions",
    "enqueue_trial": "study.enqueue(config)",
    "get_best_result": "study.best",
    "get_dataframe": "pandas.DataFrame(study.table())",
    "get_trials": "study.trials",
    "optimize": "assay.optimize(objective, space, budget=60), which makes the study",
    "results": "study.trials, or study.table() as columns",
    "set_user_attr": "study.note(text)",
    "stop": 'study.steer("stop")',
    "study_name": "study.name",
    "trials_dataframe": "pandas.DataFrame(study.table())",
    "user_attrs": "study.history.milestones, where the notes are",
}
OPEN_TRIAL = {
    "params": "trial.config",
    "set_constraint": 'return the number by name, and say constraints=["name <= 10"]',
    "set_user_attr": 'return numbers by name, {"loss": …, "latency_ms": …}',
    "suggest": "the parameters are in the space, and in trial.config[name]",
    "user_attrs": "return numbers by name, then they are in study.trials[number].extra",
    "should_prune": "trial.should_stop()",
    "suggest_categorical": "Choice in the space, and trial.config[name]",
    "suggest_discrete_uniform": "Float(…, step=…) in the space, and trial.config[name]",
    "suggest_float": "Float in the space, and trial.config[name]",
    "suggest_int": "Int in the space, and trial.config[name]",
    "suggest_loguniform": "Float(…, log=True) in the space, and trial.config[name]",
    "suggest_uniform": "Float in the space, and trial.config[name]",
}
TRIAL = {
    "constraints": "trial.feasible",
    "datetime_complete": "`assay log` has the time of every event",
    "datetime_start": "`assay log` has the time of every event",
    "distributions": "study.spec.space",
    "duration": "trial.wall_s",
    "intermediate_values": "dict(trial.curve)",
    "last_step": "max(dict(trial.curve), default=None)",
    "metrics": "trial.value, trial.values and trial.extra",
    "params": "trial.config",
    "user_attrs": "trial.extra",
}
_SEARCH_CV = "from assay.sklearn import SearchCV"
MODULE = {
    "AutoML": "assay.tune(model, X, y, budget=60)",
    "AxClient": "assay.Study(space), then study.ask() and study.tell(trial, value)",
    "BayesSearchCV": _SEARCH_CV,
    "BayesianOptimization": 'sampler="gp", by name',
    "BoolDistribution": "assay.Choice([False, True])",
    "Boolean": "assay.Choice([False, True])",
    "Categorical": "assay.Choice",
    "CategoricalDistribution": "assay.Choice",
    "Client": "assay.Study(space), then study.ask() and study.tell(trial, value)",
    "Fixed": "assay.Constant",
    "FloatDistribution": "assay.Float",
    "GridSearchCV": f'{_SEARCH_CV}, with sampler="grid"',
    "HalvingGridSearchCV": f'{_SEARCH_CV}, with scheduler="racing"',
    "HalvingRandomSearchCV": f'{_SEARCH_CV}, with scheduler="racing"',
    "HyperParameters": "from assay.optuna import HyperParameters",
    "Hyperband": 'scheduler="hyperband", by name',
    "IntDistribution": "assay.Int",
    "Integer": "assay.Int",
    "OptunaSearchCV": _SEARCH_CV,
    "RandomSearch": 'sampler="random", by name',
    "RandomizedSearchCV": _SEARCH_CV,
    "Real": "assay.Float",
    "Scenario": "the arguments of assay.optimize: budget, seed, workers, …",
    "SearchCV": _SEARCH_CV,
    "Trial": "assay.OpenTrial is what an objective gets; study.trials has those that ended",
    "TrialPruned": "report to a scheduler, which ends the trial, or return after trial.should_stop()",
    "Trials": "study.trials",
    "TuneConfig": "the arguments of assay.optimize: budget, direction, sampler, …",
    "Tuner": "assay.optimize(objective, space, budget=60)",
    "agent": "assay.optimize(…, workers=…), or `assay worker` elsewhere",
    "choice": "assay.Choice",
    "copy_study": "`assay export`, and learn_from=[name] for another study",
    "create_study": "assay.Study(space), or assay.optimize(objective, space, budget=60)",
    "delete_study": "no study is deleted; remove its storage",
    "distributions": "assay.Float, assay.Int, assay.Choice",
    "fmin": "assay.optimize(objective, space, budget=60)",
    "get_all_study_names": "`assay status`",
    "get_all_study_summaries": "`assay status --json`",
    "gp_minimize": "assay.optimize(objective, space, budget=60)",
    "grid_search": 'assay.Choice([…]), and sampler="grid"',
    "hp": "assay.Float, assay.Int, assay.Choice",
    "importance": "study.importance()",
    "init": "assay.optimize(…, name=…)",
    "integration": "assay.callbacks",
    "load_study": "assay.open_study(storage, name)",
    "log": "trial.report(step, value)",
    "logging": "progress=False is silent",
    "lograndint": "assay.Int(low, high, log=True)",
    "loguniform": "assay.Float(low, high, log=True)",
    "minimize": "assay.optimize(objective, space, budget=60)",
    "pruners": 'scheduler="asha", by name',
    "quniform": "assay.Float(low, high, step=…)",
    "randint": "assay.Int",
    "randn": "assay.Float with a range; SearchCV takes scipy.stats.norm",
    "run": "assay.optimize(objective, space, budget=60)",
    "sample_from": 'assay.When(…) and Space(…, require=["a < b"])',
    "study": "assay.Study",
    "sweep": '`space, lost = assay.spaces.read(form, "wandb")`, and assay.optimize(objective, space, budget=60)',
    "trial": "assay.OpenTrial is what an objective gets",
    "uniform": "assay.Float",
    "visualization": "assay.plot",
    "with_resources": "cpus_per_trial=…, gpus_per_trial=…",
}
