from celery import shared_task

from .models import LoginAttempts, RevokedToken


@shared_task
def forget_expired() -> None:
    """Delete what is known of tokens that have expired, and of log-ins of long ago."""
    RevokedToken.objects.expired().delete()
    LoginAttempts.objects.idle().delete()
