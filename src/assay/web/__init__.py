"""The dashboard: studies in a browser, as they run. See `assay dashboard`."""
