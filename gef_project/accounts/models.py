"""Users, and what is stored of their log-ins: revoked tokens and failed attempts."""

import uuid
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone

from gef_project.common.locking import retry_deadlocks

# Without a failure for so long, the earlier ones no longer count.
FAILURES_EXPIRE_AFTER = timedelta(hours=1)
# Where the right password was given within this time, failures do not count.
TRUSTED_FOR = timedelta(days=1)


class Role(models.TextChoices):
    """What clients call Django's staff and superuser flags."""

    USER = "USER"
    ADMIN = "ADMIN"
    SUPERADMIN = "SUPERADMIN"


class LowercaseEmailField(models.EmailField):
    """An address that is stored and looked up in lower case."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.lower() if isinstance(value, str) else value


class UserQuerySet(models.QuerySet["User"]):
    @retry_deadlocks
    def delete(self) -> tuple[int, dict[str, int]]:
        return super().delete()


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password the user cannot log in.

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
        default=False,
        help_text="May log in to the admin. Groups and permissions say what they see and do, by the API too.",
    )
    # Tokens carry this number; those with a lower one are revoked.
    token_generation = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return str(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new password ends every session: the old one may have become known."""
        # Django's own flag for a call of set_password(), which a mere rehash does not set.
        raw_password: str | None = self._password  # type: ignore[attr-defined]
        new_password = raw_password is not None and not self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if new_password:
                self.end_sessions()

    def end_sessions(self) -> None:
        """Log the user out everywhere: every token issued so far becomes invalid."""
        type(self).objects.filter(pk=self.pk).update(token_generation=F("token_generation") + 1)
        self.refresh_from_db(fields=["token_generation"])

    @retry_deadlocks
    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        return super().delete(*args, **kwargs)

    def may(self, *permissions: str) -> bool:
        """Whether this is staff with one of the permissions, as the admin asks; superusers have all."""
        return self.is_staff and any(map(self.has_perm, permissions))

    @property
    def role(self) -> Role:
        if self.is_superuser:
            return Role.SUPERADMIN
        return Role.ADMIN if self.is_staff else Role.USER


class RevokedTokenQuerySet(models.QuerySet["RevokedToken"]):
    def revoke(self, id: UUID | str) -> bool:
        """Revoke a session, or one refresh token, for as long as any of its tokens could last.

        Returns:
            False if it has been revoked before.
        """
        last = timezone.now() + settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]
        return self.get_or_create(pk=id, defaults={"expires_at": last})[1]

    def expired(self) -> Self:
        return self.filter(expires_at__lt=timezone.now())


class RevokedToken(models.Model):
    """A session that has been logged out, with all its tokens, or a refresh token that has been exchanged.

    Valid tokens are not stored, since workers log in for every report. ``User.token_generation`` tells that
    all sessions of a user have ended.
    """

    id = models.UUIDField(primary_key=True)
    expires_at = models.DateTimeField()

    objects = RevokedTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.pk)


class LoginAttemptsQuerySet(models.QuerySet["LoginAttempts"]):
    def expired(self) -> Self:
        """Rows that the log-in throttle needs no longer."""
        before = timezone.now() - TRUSTED_FOR
        return self.exclude(Q(failed_at__gte=before) | Q(succeeded_at__gte=before))

    def count_failure(self, address: str, account: str) -> None:
        now = timezone.now()
        row, new = self.get_or_create(
            address=address, account=account, defaults={"failures": 1, "failed_at": now}
        )
        if not new:
            expired = When(failed_at__lt=now - FAILURES_EXPIRE_AFTER, then=1)
            failures = Case(expired, default=F("failures") + 1)
            self.filter(pk=row.pk).update(failures=failures, failed_at=now)


class LoginAttempts(models.Model):
    """The failed log-ins of an address with one account, or with all accounts; see ``login_throttle.py``."""

    address = models.CharField(max_length=64)
    # A digest, since somebody may have typed a password there; empty: all accounts.
    account = models.CharField(max_length=64)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)

    objects = LoginAttemptsQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "account"], name="login_attempts_of")]

    def __str__(self) -> str:
        return f"{self.address}: {self.failures} failures"
