"""An app whose tables have every kind of index and constraint that Django knows."""
