"""What a study says to people: one HTML page, its figures, and plain text for a terminal."""
