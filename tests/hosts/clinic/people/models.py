"""People who sign in by e-mail, and the practices that they may belong to."""

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import receiver


class Practice(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **others: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **others)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **others: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **others)


class User(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    full_name = models.CharField(max_length=200, blank=True)
    practice = models.ForeignKey(Practice, models.PROTECT, null=True, blank=True)
    colleagues = models.ManyToManyField("self", blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        indexes = (models.Index(fields=("full_name",), name="people_by_name"),)

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """With a note in a table that only the clinic's own databases have."""
        self.full_name = self.full_name or self.email.partition("@")[0]
        super().save(*args, **kwargs)
        Profile._default_manager.using(kwargs.get("using")).get_or_create(user=self)


class Profile(models.Model):
    user = models.OneToOneField(User, models.CASCADE, primary_key=True)
    room = models.CharField(max_length=20, blank=True)

    def __str__(self) -> str:
        return f"{self.user}'s profile"


@receiver(post_save, sender=User)
def make_profile(sender: type[User], instance: User, created: bool, **kwargs: Any) -> None:
    if created:
        Profile(user=instance).save()
