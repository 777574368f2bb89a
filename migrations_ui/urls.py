"""Every page, per resource."""

from __future__ import annotations

from django.urls import path

from migrations_ui.views import (
    audits,
    catch_up,
    differences,
    freeze,
    health,
    overview,
    preflight,
    rejected,
    runs,
    signing,
    steps,
    tables,
    transforms,
    watching,
)

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("preflight/", preflight.preflight, name="preflight"),
    path("preflight/live/", preflight.live, name="preflight_live"),
    path("preflight/check/", preflight.check, name="preflight_check"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("live/", overview.live, name="overview_live"),
    path("workers/nobody/<slug:note>/", overview.nobody, name="nobody"),
    # /tables/
    path("tables/", tables.tables, name="tables"),
    path("tables/live/", tables.live, name="tables_live"),
    path("tables/count/", tables.count, name="tables_count"),
    # /freeze/
    path("freeze/", freeze.freeze, name="freeze"),
    # /runs/
    path("runs/", runs.runs, name="runs"),
    path("runs/select/", tables.select, name="select"),
    path("runs/new/", runs.new, name="run_new"),
    path("runs/new/live/", runs.new_live, name="run_new_live"),
    path("runs/new/leave-out/", runs.leave_out, name="run_leave_out"),
    path("runs/transforms/", transforms.choose, name="run_transforms"),
    path("runs/start/", runs.start, name="run_start"),
    path("runs/catch-up/", catch_up.new, name="catch_up"),
    path("runs/catch-up/choose/", catch_up.choose, name="catch_up_choose"),
    path("runs/catch-up/start/", catch_up.start, name="catch_up_start"),
    path("runs/<int:pk>/", watching.run, name="run"),
    path("runs/<int:pk>/live/", watching.live, name="run_live"),
    path("runs/<int:pk>/pause/", runs.pause, name="run_pause"),
    path("runs/<int:pk>/resume/", runs.resume, name="run_resume"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run_cancel"),
    path("runs/<int:pk>/limit/", runs.limit, name="run_limit"),
    path("runs/<int:pk>/restore/", runs.restore, name="run_restore"),
    path("runs/<int:pk>/rejected/", rejected.rejected, name="run_rejected"),
    path("runs/<int:pk>/rejected.csv", rejected.as_csv, name="run_rejected_csv"),
    path("runs/<int:pk>/rejected.json", rejected.as_json, name="run_rejected_json"),
    path("runs/<int:pk>/rejected/retry/", rejected.retry, name="run_retry"),
    path("runs/<int:pk>/back/", runs.back, name="run_back"),
    path("runs/<int:pk>/steps/", steps.live, name="run_steps"),
    path("runs/<int:pk>/steps/<int:position>/retry/", steps.retry, name="step_retry"),
    # /audits/
    path("audits/", audits.audits, name="audits"),
    path("audits/start/", audits.start, name="audit_start"),
    path("audits/<int:pk>/", audits.audit, name="audit"),
    path("audits/<int:pk>/live/", audits.live, name="audit_live"),
    path("audits/<int:pk>/cancel/", audits.cancel, name="audit_cancel"),
    path("audits/<int:pk>/differences.csv", differences.as_csv, name="differences_csv"),
    path("audits/<int:pk>/differences.json", differences.as_json, name="differences_json"),
    path("audits/<int:pk>/tables/<int:table>/", differences.table, name="audited_table"),
    path("audits/<int:pk>/sign/", signing.sign, name="audit_sign"),
    path("audits/<int:pk>/sign/off/", signing.sign_off_now, name="audit_sign_off"),
    # /sign-offs/
    path("sign-offs/", signing.sign_offs, name="sign_offs"),
    path("sign-offs/<int:pk>/", signing.sign_off, name="sign_off"),
    path("sign-offs/<int:pk>/since/", signing.since, name="sign_off_since"),
    path("sign-offs/<int:pk>.json", signing.as_json, name="sign_off_json"),
    path("sign-offs/<int:pk>.csv", signing.as_csv, name="sign_off_csv"),
    path("sign-offs/<int:pk>.html", signing.as_html, name="sign_off_html"),
]
