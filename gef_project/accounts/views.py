from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gef_project.api.schema import data_of, errors

from .authentication import refresh_token_for
from .models import User
from .serializers import LoginSerializer, RefreshSerializer, TokensSerializer, UserSerializer, tokens


class LoginView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["Auth"],
        summary="Log in",
        description="With a user's email and password, or with an execution's own credential, which may only "
        "read that execution, report its status, progress and results, and read and write its log. Send the "
        "access token with every request: `Authorization: Bearer <access token>`.",
        auth=[],
        request=LoginSerializer,
        responses={
            200: TokensSerializer,
            **errors(400, 401, 413, 415, e401="Unknown, wrong, or no longer active: the answer is the same."),
        },
    )
    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        caller = serializer.log_in()
        return Response(tokens(caller, refresh_token_for(caller)))


class RefreshView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["Auth"],
        summary="Get a fresh access token",
        description="The refresh token stays valid, and comes back as it was sent.",
        auth=[],
        request=RefreshSerializer,
        responses={200: TokensSerializer, **errors(400, 401, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(tokens(*serializer.refresh()))


class MeView(APIView):
    @extend_schema(
        tags=["Users"],
        summary="Read who one is",
        description="The user whose access token it is.",
        responses={200: data_of(UserSerializer), **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        return Response({"data": UserSerializer(cast(User, request.user)).data})
