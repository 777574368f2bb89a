"""A registry of persistent identifiers, in the shape of the application that Cutover began with.

A pid ("8gtp3w") is a name that never changes; its targets are the addresses that it leads to
today.  Pids live in domains, which form a tree.  The models hold what real applications hold:
indexes and constraints over several columns, columns that fill themselves, JSON, money, and text
as people type it.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class ExternalSystem(models.Model):
    """A catalogue that knows some of our objects under keys of its own."""

    name = models.CharField("name", max_length=127, unique=True)
    key_field = models.CharField("key field", max_length=127, help_text="What it calls its keys.")
    base_url = models.URLField("base address", blank=True)
    options = models.JSONField("options", default=dict, blank=True)

    class Meta:
        verbose_name = "external system"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Policy(models.Model):
    """What the institution promises about an identifier."""

    title = models.CharField("title", max_length=255, unique=True)
    commitment = models.TextField("commitment")
    yearly_fee = models.DecimalField("yearly fee", max_digits=8, decimal_places=2, default=0)
    effective_on = models.DateField("effective on")
    review_on = models.DateField("to be reviewed on", null=True, blank=True)
    created_at = models.DateTimeField("created at", auto_now_add=True)

    class Meta:
        verbose_name = "policy"
        verbose_name_plural = "policies"
        ordering = ("title",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(yearly_fee__gte=0), name="policy_fee_is_not_negative"
            ),
        )

    def __str__(self) -> str:
        return self.title


class Domain(models.Model):
    """A department or collection that names its own objects; it may lie within another one."""

    name = models.CharField("name", max_length=255, unique=True)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="subdomains",
        verbose_name="parent",
    )
    policy = models.ForeignKey(
        Policy, on_delete=models.PROTECT, null=True, blank=True, verbose_name="policy"
    )
    curators = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="curated_domains",
        verbose_name="curators",
    )
    is_public = models.BooleanField("public", default=True)
    quota = models.PositiveIntegerField("quota", null=True, blank=True)
    updated_at = models.DateTimeField("updated at", auto_now=True)

    class Meta:
        verbose_name = "domain"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Proxy(models.Model):
    """A gateway that the reader is sent through, for licensed material."""

    name = models.CharField("name", max_length=127, unique=True)
    transform = models.CharField("transform", max_length=255, help_text="{url} is the target.")
    is_default = models.BooleanField("default", default=False)

    class Meta:
        verbose_name = "proxy"
        verbose_name_plural = "proxies"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Pid(models.Model):
    """A persistent identifier: a short name without vowels, the last character a checksum."""

    pid = models.CharField("pid", max_length=32, unique=True)
    uuid = models.UUIDField("UUID", unique=True, default=uuid.uuid4)
    name = models.CharField("name", max_length=1023, blank=True)
    domain = models.ForeignKey(Domain, on_delete=models.PROTECT, verbose_name="domain")
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="created_pids",
        verbose_name="creator",
    )
    editor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="edited_pids",
        verbose_name="editor",
    )
    external_system = models.ForeignKey(
        ExternalSystem,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name="external system",
    )
    external_key = models.CharField(  # noqa: DJ001  # unique, so that none must be NULL, not ""
        "external key", max_length=127, null=True, blank=True
    )
    policy = models.ForeignKey(
        Policy, on_delete=models.PROTECT, null=True, blank=True, verbose_name="policy"
    )
    is_active = models.BooleanField("active", default=True)
    storage_cost = models.DecimalField(
        "storage cost", max_digits=12, decimal_places=4, null=True, blank=True
    )
    size = models.BigIntegerField("size in bytes", null=True, blank=True)
    embargo_until = models.DateField("embargo until", null=True, blank=True)
    metadata = models.JSONField("metadata", null=True, blank=True)
    created_at = models.DateTimeField("created at", auto_now_add=True)
    updated_at = models.DateTimeField("updated at", auto_now=True)

    class Meta:
        verbose_name = "pid"
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=("domain", "-updated_at"), name="pid_latest_in_domain"),
            models.Index(fields=("created_at",), name="pid_created"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("external_system", "external_key"), name="one_pid_per_external_key"
            ),
            models.CheckConstraint(
                condition=models.Q(external_system=None) | models.Q(external_key__isnull=False),
                name="external_system_has_a_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pid} {self.name}".strip()


class Target(models.Model):
    """An address that a pid leads to; the qualifier tells several of one pid apart."""

    pid = models.ForeignKey(
        Pid, on_delete=models.CASCADE, related_name="targets", verbose_name="pid"
    )
    noid = models.CharField("noid", max_length=32, db_index=True)
    uri = models.URLField("address", max_length=2048)
    qualify = models.CharField("qualifier", max_length=127, blank=True)
    proxy = models.ForeignKey(
        Proxy, on_delete=models.PROTECT, null=True, blank=True, verbose_name="proxy"
    )
    is_active = models.BooleanField("active", default=True)
    checked_at = models.DateTimeField("link checked at", null=True, blank=True)
    status_code = models.PositiveSmallIntegerField("link's status", null=True, blank=True)
    latency = models.FloatField("latency in seconds", null=True, blank=True)

    class Meta:
        verbose_name = "target"
        ordering = ("pid", "qualify")
        unique_together = (("pid", "qualify"),)
        indexes = (models.Index(fields=("status_code", "checked_at"), name="target_linkcheck"),)

    def __str__(self) -> str:
        return f"{self.noid}/{self.qualify}" if self.qualify else self.noid
