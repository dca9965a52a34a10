"""Contracts for the authors of plug-ins: subclass one, say how your part is made, run pytest."""
