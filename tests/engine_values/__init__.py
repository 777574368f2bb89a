"""Preflight of the values: each hazard planted and found, and nothing found where nothing is."""
