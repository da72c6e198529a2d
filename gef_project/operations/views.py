"""``/metrics``, for Prometheus: for staff, and for whoever has the deployment's ``METRICS_TOKEN``."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from prometheus_client.exposition import choose_encoder
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from gef_project.accounts.authentication import BearerAuthentication
from gef_project.accounts.permissions import IsStaff
from gef_project.common.export import AnyAccept

from .metrics import registry


@dataclass(frozen=True)
class Scraper:
    """Who has the ``METRICS_TOKEN``. It stands for no user, and sees nothing but the metrics."""

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


@extend_schema(exclude=True)  # its format is Prometheus's own, and no client of the API reads it
class MetricsView(APIView):
    authentication_classes = [ScraperAuthentication]
    permission_classes = [IsStaffOrScraper]
    content_negotiation_class = AnyAccept

    def get(self, request: Request) -> HttpResponse:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(registry), content_type=content_type)
