"""The composition root: names become parts here, and parts become studies."""
