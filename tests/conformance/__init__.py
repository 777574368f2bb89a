"""A host project made to be hard to copy, and the proof that it is copied whole."""
