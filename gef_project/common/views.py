from typing import NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from .errors import NotFound


@extend_schema(exclude=True)
class NoSuchPathView(APIView):
    """Answers an unknown path below ``/api``, ``/auth`` and ``/stats`` with an error of the API's shape."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise NotFound(f"There is nothing at {request.path}.")
