"""What scripts look like to clients, and what staff may write of them."""

from uuid import UUID

from rest_framework import serializers

from executions.models import Script
from gef_project.common.examples import example
from gef_project.common.fields import ModelSerializer, Text
from gef_project.common.filters import QueryDateTimeField

from .examples import NEW_SCRIPT, SCRIPT, STAFF_SCRIPT

# A client refuses the list of scripts for one that has null as its user.
NOBODY = UUID(int=0)
BUILT = "SUCCESS"  # the status of every script: nothing is built


@example(SCRIPT)
class ScriptSerializer(ModelSerializer[Script]):
    """A script as everybody may see it.

    A script is a command on the workers' machines, so nothing is built and nothing is reserved for it:
    the keys that say so are constant, and are there for clients that insist on them.
    """

    user_id = serializers.SerializerMethodField(help_text=f"Who made it; {NOBODY} if that is not known.")
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
    """A script as staff see and write it: with what it runs."""

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
    start = QueryDateTimeField(required=False, help_text="Lines written after this moment.")


@example(STAFF_SCRIPT)
class SeenScriptSerializer(ScriptSerializer):
    """What the schema says of a script that is read: with what it runs, if staff reads it."""

    command = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="For staff only."
    )
    time_limit = serializers.IntegerField(required=False, help_text="Seconds. For staff only.")
    logs = ScriptLogSerializer(many=True, required=False, help_text="If included; there is never a line.")

    class Meta(ScriptSerializer.Meta):
        fields = [*StaffScriptSerializer.Meta.fields, "logs"]
