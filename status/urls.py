from django.urls import re_path

from .export import ExportStatusLogView
from .views import CurrentStatusView, StatusLogView

urlpatterns = [
    re_path(r"^status/?$", StatusLogView.as_view(), name="status"),
    re_path(r"^status/current/?$", CurrentStatusView.as_view(), name="status-current"),
    re_path(r"^status/export/?$", ExportStatusLogView.as_view(), name="status-export"),
]
