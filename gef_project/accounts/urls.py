from django.urls import re_path

from .views import LoginView, MeView, RefreshView

auth = [
    re_path(r"^auth/?$", LoginView.as_view(), name="log-in"),
    re_path(r"^auth/refresh/?$", RefreshView.as_view(), name="refresh"),
]
urlpatterns = [re_path(r"^user/me/?$", MeView.as_view(), name="me")]
