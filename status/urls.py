from django.urls import re_path

from .views import CurrentStatusView, StatusLogView

urlpatterns = [
    re_path(r"^status/?$", StatusLogView.as_view(), name="status"),
    re_path(r"^status/current/?$", CurrentStatusView.as_view(), name="status-current"),
]
