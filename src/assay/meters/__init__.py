"""What evaluating takes from the world: meters of energy, and what a kilowatt-hour emits where."""
