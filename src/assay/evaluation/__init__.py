"""Which rows train, which validate, which stay sealed; and how rows are recognised again. Pure."""
