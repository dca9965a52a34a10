"""Assay: tuning hyperparameters as a controlled experiment.

Names are loaded when first used, so that `import assay` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Ablation": "assay.api.ablation",
    "AssayError": "assay.core.errors",
    "Belief": "assay.core.beliefs",
    "Budget": "assay.core.spec",
    "Choice": "assay.core.parameters",
    "Component": "assay.core.components",
    "Constant": "assay.core.parameters",
    "DataError": "assay.core.errors",
    "Evidence": "assay.core.spec",
    "Fidelity": "assay.core.fidelity",
    "Float": "assay.core.parameters",
    "Int": "assay.core.parameters",
    "Limits": "assay.core.spec",
    "OpenTrial": "assay.engine.trial",
    "Ordinal": "assay.core.parameters",
    "Program": "assay.programs.program",
    "Rates": "assay.core.rates",
    "SealError": "assay.core.errors",
    "Space": "assay.core.space",
    "SpaceError": "assay.core.errors",
    "SpecError": "assay.core.errors",
    "Splits": "assay.evaluation.splits",
    "StateError": "assay.core.errors",
    "StoreError": "assay.core.errors",
    "Study": "assay.api.study",
    "Verdict": "assay.analysis.verdict",
    "When": "assay.core.parameters",
    "ablate": "assay.api.ablation",
    "known": "assay.api.borrowing",
    "open_study": "assay.api.opened",
    "optimize": "assay.api.objective",
    "preflight": "assay.api.preflight",
    "refit": "assay.api.refit",
    "tune": "assay.api.data",
    "work": "assay.api.working",
}

_PARTS = ("callbacks", "plot", "spaces")
"""Modules that are used as `assay.plot.history(study)`."""
_EXTRAS = ("optuna", "sklearn")
"""The same where their package is installed."""

__all__ = sorted([*_HOME, *_PARTS, "__version__"])

if TYPE_CHECKING:
    from assay import callbacks as callbacks
    from assay import plot as plot
    from assay import spaces as spaces
    from assay.analysis.verdict import Verdict as Verdict
    from assay.api.ablation import Ablation as Ablation
    from assay.api.ablation import ablate as ablate
    from assay.api.borrowing import known as known
    from assay.api.data import tune as tune
    from assay.api.objective import optimize as optimize
    from assay.api.opened import open_study as open_study
    from assay.api.preflight import preflight as preflight
    from assay.api.refit import refit as refit
    from assay.api.study import Study as Study
    from assay.api.working import work as work
    from assay.core.beliefs import Belief as Belief
    from assay.core.components import Component as Component
    from assay.core.errors import AssayError as AssayError
    from assay.core.errors import DataError as DataError
    from assay.core.errors import SealError as SealError
    from assay.core.errors import SpaceError as SpaceError
    from assay.core.errors import SpecError as SpecError
    from assay.core.errors import StateError as StateError
    from assay.core.errors import StoreError as StoreError
    from assay.core.fidelity import Fidelity as Fidelity
    from assay.core.parameters import Choice as Choice
    from assay.core.parameters import Constant as Constant
    from assay.core.parameters import Float as Float
    from assay.core.parameters import Int as Int
    from assay.core.parameters import Ordinal as Ordinal
    from assay.core.parameters import When as When
    from assay.core.rates import Rates as Rates
    from assay.core.space import Space as Space
    from assay.core.spec import Budget as Budget
    from assay.core.spec import Evidence as Evidence
    from assay.core.spec import Limits as Limits
    from assay.engine.trial import OpenTrial as OpenTrial
    from assay.evaluation.splits import Splits as Splits
    from assay.programs.program import Program as Program


def __getattr__(name: str) -> Any:
    if name in _PARTS or name in _EXTRAS:
        return import_module(f"assay.{name}")
    if name not in _HOME:
        from assay.core.familiar import MODULE

        hint = f". Here: {MODULE[name]}." if name in MODULE else ""
        raise AttributeError(f"module 'assay' has no attribute {name!r}{hint}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
