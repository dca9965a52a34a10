"""Studies shown in other tools while they run: MLflow, TensorBoard, Weights & Biases.

A study's log is the truth; a tracker copies what is new in it. So a tracker may start late, be killed and
start again, or run in another process than the study: `assay watch --mlflow URI`.
"""

from __future__ import annotations

from assay.tracking.following import Follower, Tracker, following

__all__ = ["Follower", "Tracker", "following"]
