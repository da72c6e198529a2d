from typing import NoReturn

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from .errors import NotFound


class NoSuchPathView(APIView):
    """What is below ``/api`` and ``/auth`` answers in the API's error shape, even if it is nothing."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: object, **kwargs: object) -> NoReturn:
        raise NotFound(f"There is nothing at {request.path}.")
