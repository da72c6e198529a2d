from typing import cast

from django.urls import re_path
from rest_framework.routers import Route, SimpleRouter

from .api.bulk import CancelManyView
from .api.executions import ExecutionViewSet
from .api.export import ExportExecutionsView
from .api.history import HistoryView
from .api.logs import LogView
from .api.scripts import ScriptViewSet

router = SimpleRouter()
router.trailing_slash = "/?"  # optional: a redirect would lose the body
of_list = cast(Route, router.routes[0])
router.routes = [
    of_list._replace(mapping={**of_list.mapping, "patch": "report_many"}),
    *router.routes[1:],
]
router.register("execution", ExecutionViewSet)
router.register("script", ScriptViewSet)

urlpatterns = [
    re_path(r"^execution/cancel/?$", CancelManyView.as_view(), name="execution-cancel-many"),
    re_path(r"^execution/export/?$", ExportExecutionsView.as_view(), name="execution-export"),
    *router.urls,
    re_path(r"^execution/(?P<id>[^/]+)/history/?$", HistoryView.as_view(), name="execution-history"),
    re_path(r"^execution/(?P<id>[^/]+)/log/?$", LogView.as_view(), name="execution-log"),
]
