from typing import cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import Token

from gef_project.common.schema import BODY_ERRORS, data_of, errors

from .authentication import end_session, refresh_token_for
from .models import User
from .serializers import (
    LoginSerializer,
    LogoutSerializer,
    MessageSerializer,
    OwnUserSerializer,
    RefreshSerializer,
    TokensSerializer,
    UserSerializer,
    tokens,
)


class LoginView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        tags=["Auth"],
        operation_id="log_in",
        summary="Log in",
        description="With a user's email and password, or with an execution's own credential, which may only "
        "read that execution, report its status, progress and results, and read and write its log. Send the "
        "access token with every request: `Authorization: Bearer <access token>`. Each log-in begins a "
        "session of its own, and ends no other.",
        auth=[],
        request=LoginSerializer,
        responses={
            200: TokensSerializer,
            **errors(
                400, 401, 413, 415, 429, e401="Unknown, wrong, or no longer active: the answer is the same."
            ),
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
        operation_id="refresh_token",
        summary="Get a fresh access token",
        description="The refresh token stays valid, and comes back as it was sent, unless it is rotated.",
        auth=[],
        parameters=[
            OpenApiParameter(
                "rotate",
                bool,
                description="`true`: the refresh token is exchanged for another one, good for 30 days, and "
                "is itself no longer valid. Not for an execution's own credential.",
            )
        ],
        request=RefreshSerializer,
        responses={200: TokensSerializer, **errors(400, 401, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rotate = request.query_params.get("rotate", "").lower() == "true"
        return Response(tokens(*serializer.refresh(rotate=rotate)))


class LogoutView(APIView):
    @extend_schema(
        tags=["Auth"],
        operation_id="log_out",
        summary="Log out",
        description="Ends the session of the access token: its access and refresh tokens are no "
        "longer valid. A refresh token in the body ends its session too. The body may be missing.",
        request=LogoutSerializer,
        responses={200: MessageSerializer, **errors(*BODY_ERRORS)},
    )
    def post(self, request: Request) -> Response:
        serializer = LogoutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        end_session(cast(Token, request.auth))
        if other := serializer.refresh_token_of_another_session():
            end_session(other)
        return Response({"msg": "Logged out."})


class LogoutAllView(APIView):
    @extend_schema(
        tags=["Auth"],
        operation_id="log_out_everywhere",
        summary="Log out everywhere",
        description="Ends every session of the user, this one too.",
        request=None,
        responses={200: MessageSerializer, **errors(401, 403)},
    )
    def post(self, request: Request) -> Response:
        cast(User, request.user).end_sessions()
        return Response({"msg": "Logged out everywhere."})


@extend_schema(tags=["Users"])
class MeView(APIView):
    @extend_schema(
        operation_id="get_own_user",
        summary="Read your user",
        description="The user of the access token.",
        responses={200: data_of(UserSerializer), **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        return Response({"data": UserSerializer(cast(User, request.user)).data})

    @extend_schema(
        operation_id="update_own_user",
        summary="Change your user",
        description="Only the fields in the body change.",
        request=OwnUserSerializer,
        responses={200: data_of(UserSerializer), **errors(*BODY_ERRORS, 429)},
    )
    def patch(self, request: Request) -> Response:
        changes = OwnUserSerializer(
            cast(User, request.user), data=request.data, partial=True, context={"request": request}
        )
        changes.is_valid(raise_exception=True)
        return Response({"data": UserSerializer(changes.save()).data})
