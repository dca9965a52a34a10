"""What the measurements say: effects, noise, selection, verdict. Pure."""
