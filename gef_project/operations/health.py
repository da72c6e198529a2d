from typing import NoReturn

from django.conf import settings
from django.db import Error, connection
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gef_project.common.errors import NotFound
from gef_project.common.examples import example


class DeploymentSerializer(serializers.Serializer):
    commit_sha = serializers.CharField()
    branch = serializers.CharField()
    environment = serializers.CharField()


HEALTHY = {
    "status": "healthy",
    "database": "connected",
    "deployment": {"commit_sha": "4de27c1", "branch": "main", "environment": "production"},
}
UNHEALTHY = HEALTHY | {"status": "unhealthy", "database": "disconnected"}


@example(HEALTHY)
class HealthSerializer(serializers.Serializer):
    status = serializers.CharField(help_text="healthy or unhealthy")
    database = serializers.CharField(help_text="connected or disconnected")
    deployment = DeploymentSerializer()


class HealthView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["Health"],
        operation_id="check_health",
        summary="Ask whether the service works",
        description="Whether this process answers, and its database answers it. For everybody.",
        auth=[],
        responses={
            200: HealthSerializer,
            503: OpenApiResponse(HealthSerializer, examples=[OpenApiExample("unhealthy", UNHEALTHY)]),
        },
    )
    def get(self, request: Request) -> Response:
        connected = _database_answers()
        health = {
            "status": "healthy" if connected else "unhealthy",
            "database": "connected" if connected else "disconnected",
            "deployment": settings.DEPLOYMENT,
        }
        return Response(health, status=200 if connected else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


@extend_schema(exclude=True)
class NoSuchPathView(APIView):
    """What is below ``/api``, ``/auth`` and ``/stats`` answers in the API's error shape, even as nothing."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise NotFound(f"There is nothing at {request.path}.")
