"""What the attic's own worker does; nobody else may import it."""

raise RuntimeError("This is not the attic's worker.")
