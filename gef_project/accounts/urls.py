from django.urls import re_path

from .views import LoginView, LogoutAllView, LogoutView, MeView, RefreshView

auth = [
    re_path(r"^auth/?$", LoginView.as_view(), name="log-in"),
    re_path(r"^auth/refresh/?$", RefreshView.as_view(), name="refresh"),
    re_path(r"^auth/logout/?$", LogoutView.as_view(), name="log-out"),
    re_path(r"^auth/logout-all/?$", LogoutAllView.as_view(), name="log-out-everywhere"),
]
urlpatterns = [re_path(r"^user/me/?$", MeView.as_view(), name="me")]
