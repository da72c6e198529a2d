from django.urls import re_path
from rest_framework.routers import SimpleRouter

from .api.executions import ExecutionViewSet
from .api.logs import LogView

router = SimpleRouter()
router.trailing_slash = "/?"  # optional: a redirect would lose the body
router.register("execution", ExecutionViewSet)

urlpatterns = [
    *router.urls,
    re_path(r"^execution/(?P<pk>[^/]+)/log/?$", LogView.as_view(), name="execution-log"),
]
