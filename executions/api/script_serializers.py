"""Serializers of scripts: for everybody, for staff, and for the schema."""

from uuid import UUID

from rest_framework import serializers

from executions.models import Script
from gef_project.common.examples import example
from gef_project.common.fields import ModelSerializer, Text
from gef_project.common.filters import QueryDateTimeField

from .examples import NEW_SCRIPT, SCRIPT, STAFF_SCRIPT

# One of the clients cannot read a list with a script whose user is null.
NOBODY = UUID(int=0)
BUILT = "SUCCESS"  # the status of every script, since nothing is built


@example(SCRIPT)
class ScriptSerializer(ModelSerializer[Script]):
    """A script as everybody may see it.

    A script is a command on the workers' machines, so nothing is built or reserved for it. The keys about
    that are constant; some clients require them.
    """

    user_id = serializers.SerializerMethodField(
        help_text=f"The id of its author; {NOBODY} if that is not known."
    )
    public = serializers.BooleanField(source="published", read_only=True)
    status = serializers.SerializerMethodField()
    cpu_reservation = serializers.SerializerMethodField()
    cpu_limit = serializers.SerializerMethodField()
    memory_reservation = serializers.SerializerMethodField()
    memory_limit = serializers.SerializerMethodField()
    uses_gee = serializers.SerializerMethodField()

    class Meta:
        model = Script
        fields = [
            "id",
            "name",
            "slug",
            "description",
            "created_at",
            "updated_at",
            "user_id",
            "status",
            "public",
            "published",
            "cpu_reservation",
            "cpu_limit",
            "memory_reservation",
            "memory_limit",
            "uses_gee",
        ]

    def get_user_id(self, script: Script) -> UUID:
        return script.user_id or NOBODY

    def get_status(self, script: Script) -> str:
        return BUILT

    def get_cpu_reservation(self, script: Script) -> int | None:
        return None

    get_cpu_limit = get_memory_reservation = get_memory_limit = get_cpu_reservation

    def get_uses_gee(self, script: Script) -> bool:
        return False


@example(STAFF_SCRIPT, request=NEW_SCRIPT)
class StaffScriptSerializer(ScriptSerializer):
    """A script as staff see and write it: with its command and time limit."""

    command = serializers.ListField(
        child=Text(trim_whitespace=False),
        min_length=1,
        help_text="The program and its arguments. No shell reads it.",
    )

    class Meta(ScriptSerializer.Meta):
        fields = [*ScriptSerializer.Meta.fields, "command", "time_limit"]


@example({"id": 1, "text": "Built.", "register_date": SCRIPT["created_at"], "script_id": SCRIPT["id"]})
class ScriptLogSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    text = serializers.CharField()
    register_date = serializers.DateTimeField()
    script_id = serializers.UUIDField()


class ScriptLogQuerySerializer(serializers.Serializer):
    start = QueryDateTimeField(required=False, help_text="Lines written after this time.")


@example(STAFF_SCRIPT)
class SeenScriptSerializer(ScriptSerializer):
    """A script in the schema's responses, where command and time limit are for staff only."""

    command = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="For staff only."
    )
    time_limit = serializers.IntegerField(required=False, help_text="Seconds. For staff only.")
    logs = ScriptLogSerializer(many=True, required=False, help_text="If included; always empty.")

    class Meta(ScriptSerializer.Meta):
        fields = [*StaffScriptSerializer.Meta.fields, "logs"]
