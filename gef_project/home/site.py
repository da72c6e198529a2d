"""The admin's site: its home page, its live stream, and error pages of its own."""

from functools import wraps
from http import HTTPStatus
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext_lazy as _


def not_found(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", status=HTTPStatus.NOT_FOUND)


class TrackingAdminSite(AdminSite):
    site_header = site_title = _("Execution tracking")
    index_title = _("Home")
    site_url = None

    def get_urls(self) -> list[URLResolver | URLPattern]:
        # Only now: these modules need the apps' admin modules, which need this one.
        from .live import live_view
        from .views import workers_view

        return [
            path("live/", self.admin_view(live_view), name="live"),
            path("workers/", self.admin_view(workers_view), name="workers"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from .views import home_context

        return super().index(request, home_context(request) | (extra_context or {}))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Answers with our page where Django would show its own while DEBUG is on."""

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return cast(HttpResponse, view(request, *args, **kwargs))
            except Http404:
                return not_found(request)

        return super().admin_view(answer, cacheable)

    def catch_all_view(self, request: HttpRequest, url: str) -> HttpResponse:
        try:
            return super().catch_all_view(request, url)
        except Http404:
            return not_found(request)
