"""Tokens that are no good any more, though their signatures are and they have not expired."""

from typing import Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone


class RevokedTokenQuerySet(models.QuerySet["RevokedToken"]):
    def revoke(self, id: UUID | str) -> bool:
        """Revoke a session, or one refresh token, for as long as any token of it could last.

        Returns:
            False if it has been revoked before.
        """
        last = timezone.now() + settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]
        return self.get_or_create(pk=id, defaults={"expires_at": last})[1]

    def expired(self) -> Self:
        return self.filter(expires_at__lt=timezone.now())


class RevokedToken(models.Model):
    """A session that was logged out of, with all its tokens, or a refresh token that was exchanged.

    Valid tokens are not stored: workers log in for every report. That all sessions of a user have ended is
    said by ``User.token_generation``.
    """

    id = models.UUIDField(primary_key=True)
    expires_at = models.DateTimeField()

    objects = RevokedTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.pk)
