"""What was known before a study, for its Gaussian process: beliefs of the user, and earlier studies.

Both shape the first configs, and are summands of the log acquisition that fade as trials come in and
fall silent where the trials contradict them: so what is wrong costs little, and is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from assay.core.protocols import Proposal
from assay.samplers.gp_beliefs import Beliefs, Believed, believed, believed_start
from assay.samplers.gp_cost import Cheap
from assay.samplers.gp_earlier import Expected, earlier_start, expected
from assay.samplers.gp_history import trials_seen

if TYPE_CHECKING:
    from assay.core.history import History
    from assay.samplers.gp_history import Memory

Known: TypeAlias = Believed | Expected | Cheap
FORGOTTEN = 200  # trials after which it could hardly move the search


def known_start(memory: Memory, history: History, beliefs: Beliefs, seed: int) -> Proposal | None:
    """A first config from what is known; None where an evenly spread one is due."""
    found = believed_start(memory, history, beliefs, seed)
    found = found or earlier_start(memory, history, after=int(bool(beliefs)))
    return found and Proposal(found.config, {**(found.why or {}), "sampler": "gp"})


def knowledge(memory: Memory, history: History, beliefs: Beliefs) -> list[Known]:
    """The summands of the log acquisition.

    Raises:
        SingularError: numerical trouble.
    """
    if trials_seen(history) > FORGOTTEN:
        return []
    found = (believed(memory, history, beliefs), expected(memory, history))
    return [term for term in found if term is not None]
