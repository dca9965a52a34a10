"""NVIDIA's GPUs by their own energy counters; needs nvidia-ml-py (extra `gpu`)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

_MILLI = 1e-3


@dataclass(frozen=True)
class Nvml:
    """The GPUs of this machine: also what others compute on them. Cards without a counter are left out."""

    name: str = "NVML"

    def joules(self) -> dict[str, float]:
        """What each counter shows; empty without the package, the driver or a card that counts."""
        nvml = _opened()
        if nvml is None:
            return {}
        found = {}
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                with suppress(nvml.NVMLError):
                    card = nvml.nvmlDeviceGetHandleByIndex(index)
                    energy = nvml.nvmlDeviceGetTotalEnergyConsumption(card)
                    found[f"gpu{index}"] = energy * _MILLI
        except nvml.NVMLError:
            return {}
        finally:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()
        return found

    def wraps(self) -> dict[str, float]:
        """They start again when the driver is loaded, which nobody knows: such an interval is missing."""
        return {}


def _opened() -> ModuleType | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    module: ModuleType = pynvml
    return module
