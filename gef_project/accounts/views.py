from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .authentication import refresh_token_for
from .serializers import LoginSerializer, RefreshSerializer, UserSerializer, tokens


class LoginView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        caller = serializer.log_in()
        return Response(tokens(caller, refresh_token_for(caller)))


class RefreshView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(tokens(*serializer.refresh()))


class MeView(APIView):
    def get(self, request: Request) -> Response:
        return Response({"data": UserSerializer(request.user).data})
