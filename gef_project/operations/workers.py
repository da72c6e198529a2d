"""Celery's workers, as clients ask for them: as the nodes of a cluster."""

from typing import Any

from celery import current_app
from django.core.cache import cache
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from kombu.exceptions import KombuError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gef_project.accounts.permissions import IsStaff
from gef_project.common.examples import example
from gef_project.common.schema import data_of, errors

# Seconds. Clients wait five for the whole answer.
WAIT_FOR_WORKERS = 1.0
CACHED_FOR = 5


class NodeSerializer(serializers.Serializer):
    id = serializers.CharField()
    hostname = serializers.CharField()
    role = serializers.CharField(help_text="Always worker.")
    state = serializers.CharField(help_text="Always ready: a worker that does not answer is not listed.")
    availability = serializers.CharField(help_text="Always active.")
    is_manager = serializers.BooleanField(help_text="Always false.")
    is_leader = serializers.BooleanField(help_text="Always false.")
    running_tasks = serializers.IntegerField(help_text="What it is doing now: runs and other tasks.")


class CacheSerializer(serializers.Serializer):
    cached_at = serializers.DateTimeField(help_text=f"When they were asked; at most {CACHED_FOR} s ago.")


_NODE = {
    "id": "worker@host",
    "hostname": "host",
    "role": "worker",
    "state": "ready",
    "availability": "active",
    "is_manager": False,
    "is_leader": False,
    "running_tasks": 2,
}


@example(
    {
        "swarm_active": True,
        "error": None,
        "nodes": [_NODE],
        "total_nodes": 1,
        "total_managers": 0,
        "total_workers": 1,
        "cache_info": {"cached_at": "2026-01-31T12:00:00.000000Z"},
    }
)
class WorkersSerializer(serializers.Serializer):
    swarm_active = serializers.BooleanField(help_text="Whether any worker has answered.")
    error = serializers.CharField(allow_null=True, help_text="Why there is none, if that is known.")
    nodes = NodeSerializer(many=True)
    total_nodes = serializers.IntegerField()
    total_managers = serializers.IntegerField(help_text="Always 0.")
    total_workers = serializers.IntegerField()
    cache_info = CacheSerializer()


@extend_schema(tags=["Status"])
class WorkersView(APIView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="list_workers",
        summary="List the workers",
        description="Those that answer within a second. `status/swarm` is the same. For staff.",
        responses={200: data_of(WorkersSerializer), **errors(401, 403)},
    )
    def get(self, request: Request) -> Response:
        workers = cache.get_or_set("workers", ask_workers, CACHED_FOR)
        return Response({"data": WorkersSerializer(workers).data})


@extend_schema(exclude=True)
class SwarmView(WorkersView):
    """The same under an older name."""


def ask_workers() -> dict[str, Any]:
    error = None
    tasks: dict[str, list[object]] = {}
    try:
        # Not a connection of the pool, which may have been lost with the broker.
        with current_app.connection_for_write() as connection:
            inspect = current_app.control.inspect(timeout=WAIT_FOR_WORKERS, connection=connection)
            tasks = inspect.active() or {}
    except (KombuError, OSError) as failure:
        error = f"The broker cannot be asked: {failure}"
    nodes = [_node(name, len(running)) for name, running in sorted(tasks.items())]
    return {
        "swarm_active": bool(nodes),
        "error": error or (None if nodes else "No worker answers."),
        "nodes": nodes,
        "total_nodes": len(nodes),
        "total_managers": 0,
        "total_workers": len(nodes),
        "cache_info": {"cached_at": timezone.now()},
    }


def _node(name: str, running_tasks: int) -> dict[str, object]:
    return {
        "id": name,
        "hostname": name.partition("@")[2] or name,
        "role": "worker",
        "state": "ready",
        "availability": "active",
        "is_manager": False,
        "is_leader": False,
        "running_tasks": running_tasks,
    }
