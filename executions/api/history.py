from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from executions.history import execution_history
from gef_project.accounts.authentication import Caller
from gef_project.accounts.permissions import IsUserOrExecution
from gef_project.common.examples import example
from gef_project.common.schema import errors
from status.states import Status

from .examples import HISTORY
from .executions import EXECUTION_ID, visible_to


class HistoryEntrySerializer(serializers.Serializer):
    """A transition of the execution, and the time that it then spent in the new status."""

    id = serializers.IntegerField(source="log.id", help_text="The `id` of the row in the status log.")
    timestamp = serializers.DateTimeField(source="log.timestamp", help_text="When the status changed.")
    status_from = serializers.ChoiceField(
        source="log.status_from", choices=Status.choices, allow_null=True, help_text="Null for the creation."
    )
    status_to = serializers.ChoiceField(source="log.status_to", choices=Status.choices)
    seconds = serializers.FloatField(
        allow_null=True,
        help_text="Seconds until the next transition, or until now; null if the status is terminal.",
    )
    actor = serializers.UUIDField(
        source="log.actor_id",
        allow_null=True,
        help_text="The id of the user who changed it; null if no user did.",
    )
    source = serializers.CharField(  # type: ignore[assignment]  # the metaclass takes it off the class
        source="log.source",
        help_text="What changed it: api, admin, worker, monitor, cleanup, shell …; "
        "repair: an operator, even if the transition is illegal.",
    )
    reason = serializers.CharField(source="log.reason", help_text="Why it was changed.")


@example(HISTORY)
class HistorySerializer(serializers.Serializer):
    data = HistoryEntrySerializer(many=True)  # type: ignore[assignment]  # the metaclass takes it off the class
    complete = serializers.BooleanField(
        help_text="False if the first transitions are missing, since their rows are no longer kept."
    )


@extend_schema(tags=["Executions"], parameters=[EXECUTION_ID])
class HistoryView(APIView):
    permission_classes = [IsUserOrExecution]

    @extend_schema(
        operation_id="get_execution_history",
        summary="Read an execution's history",
        description="Every status that it has had, oldest first: for how long, who changed it, and why. For "
        "its owner, staff, and the execution's own credential.",
        responses={200: HistorySerializer, **errors(401, 403, 404)},
    )
    def get(self, request: Request, id: str) -> Response:
        executions = visible_to(cast(Caller, request.user)).defer("params", "results")
        history = execution_history(get_object_or_404(executions, pk=id))
        return Response(
            {
                "data": HistoryEntrySerializer(history, many=True).data,
                "complete": bool(history) and history[0].log.status_from is None,
            }
        )
