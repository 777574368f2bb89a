"""The pages: they ask the services and print what they are told."""
