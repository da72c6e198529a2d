from csp.decorators import csp_update
from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from gef_project.accounts.urls import auth
from gef_project.common.views import NoSuchPathView
from gef_project.home.site import not_found
from gef_project.operations.views import HealthView, MetricsView
from gef_project.operations.workers import SwarmView, WorkersView

api_v1: list[URLPattern | URLResolver] = [
    path("", include("gef_project.accounts.urls")),
    path("", include("executions.urls")),
    path("", include("status.urls")),
    re_path(r"^status/cluster/?$", WorkersView.as_view(), name="cluster"),
    re_path(r"^status/swarm/?$", SwarmView.as_view(), name="swarm"),
]

# What Swagger UI needs beyond the policy of all pages: it styles its elements inline, its pictures are data.
docs = csp_update({"style-src": "'unsafe-inline'", "img-src": "data:"})(SpectacularSwaggerSplitView.as_view())

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("favicon.ico", RedirectView.as_view(url=static("common/favicon.svg"))),
    path("admin/", admin.site.urls),
    *auth,
    path("api/v1/", include(api_v1)),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", docs, name="docs"),
    re_path(r"^api-health/?$", HealthView.as_view(), name="health"),
    re_path(r"^metrics/?$", MetricsView.as_view(), name="metrics"),
    # In the API's own error shape, and before Django tries a redirect to a slash.
    re_path(r"^(api|auth|stats)(/|$)", NoSuchPathView.as_view()),
    re_path("", not_found),  # our page, whatever DEBUG is
]
handler400 = "gef_project.common.handlers.bad_request"
handler500 = "gef_project.common.handlers.server_error"
