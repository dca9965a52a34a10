"""Where Hydra looks for plug-ins: `hydra/sweeper=assay`."""

from assay.hydra import StudySweeper


class AssaySweeper(StudySweeper):
    """The sweeper under the name that Hydra asks for: it takes classes of this package alone."""
