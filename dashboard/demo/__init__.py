"""The sample application: a persistent-identifier registry, its rows, and the demo's server."""
