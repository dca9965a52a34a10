"""Programs in any language as objectives: how they are called, and how their numbers are read."""
