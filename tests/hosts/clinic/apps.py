"""The clinic's admin site."""

from django.contrib.admin.apps import AdminConfig


class ClinicAdminConfig(AdminConfig):
    default_site = "tests.hosts.clinic.admin_site_that_is_not_there.ClinicSite"
