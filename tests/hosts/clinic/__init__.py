"""A host whose users sign in by e-mail, have UUIDs, and are followed by signals."""
