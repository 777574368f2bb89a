"""The engine: moves and compares rows.

It knows no HTTP, no task queue, no templates and no control tables, and can be used from a plain
script; it reports through callbacks and result objects.
"""
