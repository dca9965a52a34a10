"""The state of a PyTorch training is kept with its trial; the only home of torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "training.pt"


def steps(trial: OpenTrial, *parts: Any) -> Iterator[int]:
    """See `assay.callbacks.torch`."""
    import torch

    _restore(left_file(trial, _FILE), parts)
    yield from trial.steps
    if (file := kept_file(trial, _FILE)) is not None:
        state = {"parts": [part.state_dict() for part in parts], "random": torch.get_rng_state()}
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state_all()
        torch.save(state, file)


def _restore(file: str | None, parts: tuple[Any, ...]) -> None:
    import torch

    if file is None:
        return
    state = torch.load(file, weights_only=True, map_location="cpu")
    for part, kept in zip(parts, state["parts"], strict=True):
        part.load_state_dict(kept)
    torch.set_rng_state(state["random"])
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
