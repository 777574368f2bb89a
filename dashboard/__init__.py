"""Wiring of the dashboard: settings, routing, the host project's overlay, the demo application."""
