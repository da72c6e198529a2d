from django.urls import re_path
from rest_framework.routers import SimpleRouter

from .api.executions import ExecutionViewSet
from .api.logs import LogView
from .api.scripts import ScriptViewSet

router = SimpleRouter()
router.trailing_slash = "/?"  # optional: a redirect would lose the body
router.register("execution", ExecutionViewSet)
router.register("script", ScriptViewSet)

urlpatterns = [
    *router.urls,
    re_path(r"^execution/(?P<id>[^/]+)/log/?$", LogView.as_view(), name="execution-log"),
]
