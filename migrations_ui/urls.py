"""Every page, per resource."""

from __future__ import annotations

from django.urls import path

from migrations_ui.views import (
    audits,
    health,
    overview,
    preflight,
    rejected,
    runs,
    tables,
    transforms,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("preflight/", preflight.preflight, name="preflight"),
    path("preflight/live/", preflight.live, name="preflight_live"),
    path("preflight/check/", preflight.check, name="preflight_check"),
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
    path("runs/transforms/", transforms.choose, name="run_transforms"),
    path("runs/start/", runs.start, name="run_start"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/live/", runs.live, name="run_live"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run_cancel"),
    path("runs/<int:pk>/rejected/", rejected.rejected, name="run_rejected"),
    path("runs/<int:pk>/rejected.csv", rejected.as_csv, name="run_rejected_csv"),
    path("runs/<int:pk>/rejected.json", rejected.as_json, name="run_rejected_json"),
    path("runs/<int:pk>/rejected/retry/", rejected.retry, name="run_retry"),
    # /audits/
    path("audits/", audits.audits, name="audits"),
    path("audits/start/", audits.start, name="audit_start"),
    path("audits/<int:pk>/", audits.audit, name="audit"),
    path("audits/<int:pk>/live/", audits.live, name="audit_live"),
]
