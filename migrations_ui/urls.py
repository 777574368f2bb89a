"""Every page, per resource."""

from __future__ import annotations

from django.urls import path

from migrations_ui.views import audits, health, overview, preflight, runs, tables

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("preflight/", preflight.preflight, name="preflight"),
    path("healthz", health.healthz, name="healthz"),
    # /tables/
    path("tables/", tables.tables, name="tables"),
    path("tables/live/", tables.live, name="tables_live"),
    path("tables/count/", tables.count, name="tables_count"),
    # /runs/
    path("runs/", runs.runs, name="runs"),
    path("runs/select/", tables.select, name="select"),
    path("runs/new/", runs.new, name="run_new"),
    path("runs/new/live/", runs.new_live, name="run_new_live"),
    path("runs/start/", runs.start, name="run_start"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.live, name="run_live"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run_cancel"),
    # /audits/
    path("audits/", audits.audits, name="audits"),
    path("audits/start/", audits.start, name="audit_start"),
    path("audits/<int:pk>/", audits.audit, name="audit"),
    path("audits/<int:pk>/live/", audits.live, name="audit_live"),
]
