"""A host whose users need PostgreSQL."""
