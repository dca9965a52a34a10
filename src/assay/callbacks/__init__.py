"""Training loops of other libraries in one line: they report, end in time, and go on where they were.

    import assay
    import lightgbm as lgb

    def objective(trial):
        call = assay.callbacks.lightgbm(trial)
        lgb.train(trial.config, train, 200, valid_sets=[valid], init_model=call.model, callbacks=[call])
        ...

Each needs its library only when it is used. Read docs/callbacks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from assay.callbacks.kept import Kept

if TYPE_CHECKING:
    from assay.core.space import Space
    from assay.engine.trial import OpenTrial

__all__ = [
    "catboost",
    "kept",
    "keras",
    "lightgbm",
    "lightning",
    "sklearn",
    "torch",
    "transformers",
    "transformers_space",
    "xgboost",
]

T = TypeVar("T")


def lightgbm(
    trial: OpenTrial, metric: str | None = None, *, data: str | None = None, every: int = 1
) -> Any:
    """For `callbacks=[…]` of `lightgbm.train` and of the `fit` of its models. A step is a tree.

    Args:
        trial: to report to.
        metric: the metric that judges, as LightGBM names it; None: the only one.
        data: the validation rows that judge, by name; None: the only ones.
        every: report after each so many trees.

    Returns:
        The callback; its `model` is what to give as `init_model`, so that a paused trial goes on.

    Raises:
        SpecError: more than one value could judge, or `every` is not a whole number >= 1.
    """
    from assay.callbacks.with_lightgbm import Callback

    return Callback(trial, metric, data=data, every=every)


def xgboost(
    trial: OpenTrial, metric: str | None = None, *, data: str | None = None, every: int = 1
) -> Any:
    """For `callbacks=[…]` of `xgboost.train` and of its models. A step is a round of boosting.

    Args:
        trial: to report to.
        metric: the metric that judges, as XGBoost names it; None: the only one.
        data: the validation rows that judge, by name; None: the only ones not named "train".
        every: report after each so many rounds.

    Returns:
        The callback; its `model` is what to give as `xgb_model`, so that a paused trial goes on.

    Raises:
        SpecError: more than one value could judge, or `every` is not a whole number >= 1.
    """
    from assay.callbacks.with_xgboost import callback

    return callback(trial, metric, data=data, every=every)


def catboost(
    trial: OpenTrial, metric: str | None = None, *, data: str | None = None, every: int = 1
) -> Any:
    """For `callbacks=[…]` of the `fit` of CatBoost's models. A step is a tree.

    Args:
        trial: to report to.
        metric: the metric that judges, as CatBoost names it; None: the only one.
        data: the validation rows that judge, by name; None: the only ones.
        every: report after each so many trees.

    Returns:
        The callback. So that a paused trial goes on, give its `model` as `init_model`, and after
        `fit` call its `keep(model)`.

    Raises:
        SpecError: more than one value could judge, or `every` is not a whole number >= 1.
    """
    from assay.callbacks.with_catboost import Callback

    return Callback(trial, metric, data=data, every=every)


def lightning(trial: OpenTrial, metric: str = "val_loss") -> Any:
    """For `callbacks=[…]` of a Lightning Trainer that validates after each epoch, which is a step.

    Args:
        trial: to report to.
        metric: the name under which the module logs the value that judges.

    Returns:
        The callback; its `model` is what to give as `ckpt_path` to `trainer.fit`, so that a paused
        trial goes on.
    """
    from assay.callbacks.with_lightning import callback

    return callback(trial, metric)


def keras(trial: OpenTrial, metric: str = "val_loss") -> Any:
    """For `callbacks=[…]` of the `fit` of a Keras model, with any backend. A step is an epoch.

    Args:
        trial: to report to.
        metric: the value that judges, as Keras names it.

    Returns:
        The callback; its `saved` is the file of the model with which a paused trial goes on, or
        None: `keras.saving.load_model(call.saved) if call.saved else build()`.
    """
    from assay.callbacks.with_keras import callback

    return callback(trial, metric)


def transformers(trial: OpenTrial, metric: str = "eval_loss") -> Any:
    """For `callbacks=[…]` of a Trainer of Hugging Face that evaluates after each epoch, which is a step.

    Give the Trainer `TrainingArguments(call.folder, num_train_epochs=…, eval_strategy="epoch",
    save_strategy="no", seed=trial.seed, **trial.config)`, with the epochs of the whole fidelity, so that
    the schedule of the learning rate is the same however far a trial goes.

    Args:
        trial: to report to.
        metric: the value that judges, as `Trainer.evaluate` names it.

    Returns:
        The callback; its `model` is what to give as `resume_from_checkpoint` to `trainer.train`, so
        that a paused trial goes on, and its `folder` is where the Trainer saves that.
    """
    from assay.callbacks.with_transformers import callback

    return callback(trial, metric)


def transformers_space(arguments: Any, *, epochs: int) -> Space:
    """A space for fine-tuning by a Trainer, under the names of `TrainingArguments`; sources are with it.

    Args:
        arguments: `TrainingArguments`, whose values are the defaults and so the control.
        epochs: to train at most; the fidelity.

    Raises:
        SpaceError: a value of the arguments is outside of its range.

    >>> from types import SimpleNamespace
    >>> usual = {"learning_rate": 5e-5, "weight_decay": 0.0, "warmup_steps": 0}
    >>> arguments = SimpleNamespace(**usual, per_device_train_batch_size=8)
    >>> transformers_space(arguments, epochs=3).defaults()["per_device_train_batch_size"]
    8
    """
    from assay.callbacks.with_transformers import space

    return space(arguments, epochs)


def torch(trial: OpenTrial, *parts: Any) -> Iterator[int]:
    """The steps of a plain PyTorch loop: `for step in assay.callbacks.torch(trial, model, optimizer)`.

    Before the first step the states of a paused trial are loaded, after the last they are kept, with
    the state of PyTorch's own random numbers. Report the value of each step yourself.

    Args:
        trial: to train.
        parts: whatever has `state_dict` and `load_state_dict`: models, optimizers, schedules.

    Raises:
        SpecError: the space has no fidelity.
    """
    from assay.callbacks.with_torch import steps

    return steps(trial, *parts)


def kept(trial: OpenTrial, fresh: Callable[[], T]) -> Kept[T]:
    """What a loop of your own trains, kept with its trial: a JAX state, any object that can be pickled.

    Args:
        trial: to train.
        fresh: makes it, for a trial that begins.

    Returns:
        `value`, which you set, and `steps`, to loop over: after the last step the value is kept.

    >>> from assay import Fidelity, Float, Space, Study
    >>> space = Space(rate=Float(0, 1, default=0.5), fidelity=Fidelity("epochs", 1, 3))
    >>> trial = Study(space).ask()
    >>> state = kept(trial, lambda: 1.0)
    >>> for step in state.steps:
    ...     state.value *= trial.config["rate"]
    ...     trial.report(step, state.value)
    >>> state.value
    0.125
    """
    return Kept(trial, fresh)


def sklearn(
    trial: OpenTrial,
    model: Any,
    training: tuple[Any, Any],
    validation: tuple[Any, Any],
    *,
    value: Callable[[Any, Any, Any], float],
    size: str | None = None,
) -> float:
    """Train a scikit-learn model step by step, by `partial_fit` or, where it has none, `warm_start`.

    With `partial_fit` a step is one pass over the training rows; with `warm_start` it is one tree, or
    one round of boosting, more.

    Args:
        trial: to train and to report to.
        model: not fitted.
        training: features and target to fit.
        validation: features and target that judge; they are never fitted.
        value: of a model on features and target, as scikit-learn's scorers are called.
        size: the parameter that grows with `warm_start`; None: n_estimators or max_iter. Named, it is
            used although there is a `partial_fit`.

    Returns:
        The last value.

    Raises:
        SpecError: the model can do neither, or the space has no fidelity.
    """
    from assay.callbacks.with_sklearn import train

    return train(trial, model, training, validation, value=value, size=size)
