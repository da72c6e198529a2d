"""Strict fields for JSON bodies: the REST framework's own accept ``0`` as a string, ``"no"`` as false, …"""

from typing import Any

from django.db import models
from rest_framework import serializers


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data) if isinstance(data, str) else self.fail("invalid")


class Slug(Text, serializers.SlugField):
    pass


class Flag(serializers.BooleanField):
    TRUE_VALUES = {True}
    FALSE_VALUES = {False}

    def to_internal_value(self, data: Any) -> bool:
        return data if isinstance(data, bool) else self.fail("invalid", input=data)


class WholeNumber(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        return data if isinstance(data, int) and not isinstance(data, bool) else self.fail("invalid")


class Id(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data) if isinstance(data, str) else self.fail("invalid", value=data)


class ModelSerializer(serializers.ModelSerializer):
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: Text,
        models.TextField: Text,
        models.SlugField: Slug,
        models.BooleanField: Flag,
        models.PositiveIntegerField: WholeNumber,
    }
