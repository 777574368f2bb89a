"""The dashboard's figures for Prometheus, read from the control tables at each scrape.

Nothing is counted in memory, so any number of web processes answer alike, and a constant number of
queries answers however long the history is.  Labels are numbers of runs, states and names of
databases; no hosts and no credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Count, Q, Sum
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from migrations_ui import workers
from migrations_ui.models import Audit, Chunk, Notification, Run
from migrations_ui.pace import silences

OF_A_RUN = ("run", "source", "dest")
Sample = tuple[tuple[str, ...], float | None]


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Figures())
    return generate_latest(registry)


class Figures(Collector):
    """Asks the control database when it is asked."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: or the registry would collect once to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from of_the_workers()
        yield by_status("cutover_runs", "Runs by status", Run)
        yield by_status("cutover_notifications", "Notifications by status", Notification)
        yield from of_the_runs()
        yield from of_the_last_audit()


def gauge(name: str, text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    """A metric without the samples whose value is not known."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, figure in samples:
        if figure is not None:
            family.add_metric(values, figure)
    return family


def one(name: str, text: str, figure: float | None) -> Metric:
    return gauge(name, text, (), [((), figure)])


def by_status(name: str, text: str, model: type[Run | Notification]) -> Metric:
    """How many rows there are in each status, 0 where there is none."""
    counted = dict(model._default_manager.order_by().values_list("status").annotate(Count("pk")))
    every = [((str(status),), counted.get(status, 0)) for status in model.Status.values]
    return gauge(name, text, ("status",), every)


def of_the_workers() -> Iterator[Metric]:
    health = workers.look()
    silent = len(health.workers) - len(health.alive)
    other = sum(worker.other_version for worker in health.alive)
    yield one("cutover_workers_alive", "Workers that give signs of life", len(health.alive))
    yield one("cutover_workers_silent", "Workers that vanished in the last five minutes", silent)
    yield one("cutover_workers_other_version", "Live workers on other code than the pages", other)
    yield one("cutover_queue_up", "Whether the queue can be reached", int(not health.trouble))
    yield one("cutover_queue_length", "Tasks that wait for a worker", health.waiting)


def of_the_runs() -> Iterator[Metric]:
    """The runs that hold a destination, and the newest one."""
    newest = Run.objects.order_by("-pk").values_list("pk", flat=True)[:1]
    runs = list(
        Run.objects.filter(Q(active_dest__isnull=False) | Q(pk__in=list(newest)))
        .defer(*Run.LONG)
        .order_by("pk")
        .annotate(
            rows=Sum("tables__copied_rows", default=0),
            expected=Sum("tables__source_rows", default=0),
            rejections=Sum("tables__rejected_rows", default=0),
            failures=Count("tables", filter=~Q(tables__error="")),
        )
    )
    labels = {run.pk: (str(run.pk), run.source["name"], run.dest["name"]) for run in runs}

    def each(name: str, text: str, figures: dict[int, float | None]) -> Metric:
        samples = [(labels[pk], figure) for pk, figure in figures.items()]
        return gauge(f"cutover_run_{name}", text, OF_A_RUN, samples)

    yield each("rows_copied", "Rows that have arrived", {run.pk: run.rows for run in runs})
    yield each("rows_expected", "Rows to copy", {run.pk: run.expected for run in runs})
    yield each("rows_rejected", "Rows set aside", {run.pk: run.rejections for run in runs})
    yield each("rows_per_second", "Over the last seconds", {run.pk: rate(run) for run in runs})
    yield each("retries", "Tries that a passing error undid", {run.pk: run.retries for run in runs})
    yield each("tables_failed", "Tables with an error", {run.pk: run.failures for run in runs})
    at_work = [run.pk for run in runs if run.status in Run.AT_WORK]
    lags: dict[int, float | None] = {**silences(Run.objects.filter(pk__in=at_work))}
    yield each("heartbeat_age_seconds", "Since the worker's last sign of life", lags)
    yield chunks(labels)


def rate(run: Run) -> float | None:
    return (run.rows_per_second or 0.0) if run.is_active else None


def chunks(labels: dict[int, tuple[str, str, str]]) -> Metric:
    """Of these runs, the chunks in each status."""
    counted = (
        Chunk.objects.filter(table__run__in=labels)
        .order_by()
        .values_list("table__run", "status")
        .annotate(Count("pk"))
    )
    samples = [((*labels[run], status), number) for run, status, number in counted]
    return gauge("cutover_run_chunks", "Chunks by status", (*OF_A_RUN, "status"), samples)


def of_the_last_audit() -> Iterator[Metric]:
    """The newest audit that has ended: 1 for its verdict, 0 for the others."""
    audit = Audit.objects.exclude(status__in=Audit.ACTIVE).order_by("-pk").first()
    text = "Verdict of the newest audit that has ended"
    samples = [((str(v),), int(audit.verdict == v)) for v in Audit.Verdict.values] if audit else []
    yield gauge("cutover_last_audit_verdict", text, ("verdict",), samples)
    ended = audit.finished_at.timestamp() if audit and audit.finished_at else None
    yield one("cutover_last_audit_timestamp_seconds", "When it ended, Unix time", ended)
