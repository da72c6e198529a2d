"""Users: who owns executions, who may change them, and who gets the e-mail when one ends."""

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.utils import timezone

from gef_project.common.locking import retries_deadlocks


class Role(models.TextChoices):
    """The names under which clients know Django's staff and superuser flags."""

    USER = "USER"
    ADMIN = "ADMIN"
    SUPERADMIN = "SUPERADMIN"


class LowercaseEmailField(models.EmailField):
    """An address in lower case, in whatever case it is written or looked for."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.lower() if isinstance(value, str) else value


class UserQuerySet(models.QuerySet["User"]):
    @retries_deadlocks
    def delete(self) -> tuple[int, dict[str, int]]:
        return super().delete()


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make and store a user; without a password it cannot log in.

        Raises:
            ValueError: the email is empty.
        """
        if not email:
            raise ValueError("A user needs an email.")
        user = self.model(email=email.strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})


class User(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = LowercaseEmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    institution = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=100, blank=True)
    email_notifications = models.BooleanField(
        default=True, help_text="Send an e-mail when one of this user's executions ends."
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(
        default=False, help_text="May use the admin and see everybody's executions."
    )
    # Tokens carry it: those of an older generation are revoked.
    token_generation = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return str(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A password that was set ends every session: it may have been changed because it got known."""
        # Django's own note that set_password() was called, and not just for a better hash of the same.
        raw_password: str | None = self._password  # type: ignore[attr-defined]
        new_password = raw_password is not None and not self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if new_password:
                self.end_sessions()

    def end_sessions(self) -> None:
        """Log the user out everywhere: no token that was given out so far is good any more."""
        type(self).objects.filter(pk=self.pk).update(token_generation=models.F("token_generation") + 1)
        self.refresh_from_db(fields=["token_generation"])

    @retries_deadlocks
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return super().delete(*args, **kwargs)

    @property
    def role(self) -> Role:
        if self.is_superuser:
            return Role.SUPERADMIN
        return Role.ADMIN if self.is_staff else Role.USER
