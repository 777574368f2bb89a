"""Members, with a column that only PostgreSQL has."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Member(AbstractUser):
    regions = ArrayField(models.CharField(max_length=20), default=list, blank=True)
