"""Query parameters that more than one list knows."""

from datetime import datetime
from typing import Any

from django import forms
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .datetimes import HOW_TO, read_moment


class MomentFormField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return read_moment(value)
        except ValueError:
            raise forms.ValidationError(HOW_TO, code="invalid") from None


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentFormField


class WholeNumberFilter(filters.NumberFilter):
    field_class = forms.IntegerField


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field):
    """For a serializer of query parameters; ``ends`` as in :func:`read_moment`."""

    default_error_messages = {"invalid": HOW_TO}

    def __init__(self, *, ends: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ends = ends

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return read_moment(data, ends=self.ends)
        except ValueError:
            self.fail("invalid")
