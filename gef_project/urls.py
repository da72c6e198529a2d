from django.contrib import admin
from django.urls import include, path, re_path

from gef_project.accounts.urls import auth
from gef_project.api.views import NoSuchPathView

urlpatterns = [
    path("admin/", admin.site.urls),
    *auth,
    path(
        "api/v1/",
        include([path("", include("gef_project.accounts.urls")), path("", include("executions.urls"))]),
    ),
    re_path(r"^(api|auth)(/|$)", NoSuchPathView.as_view()),
]
handler400 = "gef_project.api.handlers.bad_request"
handler500 = "gef_project.api.handlers.server_error"
