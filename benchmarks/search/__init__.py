"""How good the search is: Assay's samplers and other tuners on the same problems."""
