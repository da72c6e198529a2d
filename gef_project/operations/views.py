"""``/api-health``, for load balancers and clients, and ``/metrics``, for Prometheus."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from prometheus_client.exposition import choose_encoder
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gef_project.accounts.authentication import BearerAuthentication
from gef_project.accounts.permissions import IsStaff
from gef_project.common.examples import example
from gef_project.common.export import AnyAccept

from .metrics import registry


class DeploymentSerializer(serializers.Serializer):
    commit_sha = serializers.CharField()
    branch = serializers.CharField()
    environment = serializers.CharField()


HEALTHY = {
    "status": "ok",
    "database": "healthy",
    "timestamp": "2026-01-31T12:00:00.000000Z",
    "deployment": {"commit_sha": "4de27c1", "branch": "main", "environment": "production"},
}
UNHEALTHY = HEALTHY | {"status": "unhealthy", "database": "unhealthy"}


@example(HEALTHY)
class HealthSerializer(serializers.Serializer):
    status = serializers.CharField(help_text="`ok`, or `unhealthy` with 503.")
    database = serializers.CharField(help_text="`healthy` or `unhealthy`.")
    timestamp = serializers.DateTimeField(help_text="When the answer was made.")
    deployment = DeploymentSerializer()


class HealthView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["Health"],
        operation_id="check_health",
        summary="Ask whether the service works",
        description="Whether this process answers, and the database answers it. For everybody.",
        auth=[],
        responses={
            200: HealthSerializer,
            503: OpenApiResponse(HealthSerializer, examples=[OpenApiExample("unhealthy", UNHEALTHY)]),
        },
    )
    def get(self, request: Request) -> Response:
        healthy = _database_answers()
        health = {
            "status": "ok" if healthy else "unhealthy",
            "database": "healthy" if healthy else "unhealthy",
            "timestamp": timezone.now(),
            "deployment": settings.DEPLOYMENT,
        }
        return Response(HealthSerializer(health).data, status=200 if healthy else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


@dataclass(frozen=True)
class Scraper:
    """Whoever has the ``METRICS_TOKEN``: no user, and sees nothing but the metrics."""

    is_authenticated = True
    is_active = True
    is_staff = False


class ScraperAuthentication(BearerAuthentication):
    def authenticate(self, request: Request) -> Any:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        token = settings.METRICS_TOKEN
        if token and scheme.lower() == "bearer" and constant_time_compare(text.strip(), token):
            return Scraper(), None
        return super().authenticate(request)


class IsStaffOrScraper(BasePermission):
    message = IsStaff.message

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Scraper) or IsStaff().has_permission(request, view)


@extend_schema(exclude=True)  # Prometheus reads it, in a format of its own
class MetricsView(APIView):
    authentication_classes = [ScraperAuthentication]
    permission_classes = [IsStaffOrScraper]
    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponse:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(registry), content_type=content_type)
