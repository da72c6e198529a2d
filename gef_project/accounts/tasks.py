from celery import shared_task

from .models import LoginAttempts, RevokedToken


@shared_task
def forget_expired() -> None:
    """Delete revoked tokens that have expired anyway, and log-in attempts of long ago."""
    RevokedToken.objects.expired().delete()
    LoginAttempts.objects.expired().delete()
