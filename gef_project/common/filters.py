"""Kinds of query parameters that several lists share."""

from datetime import datetime
from typing import Any

from django import forms
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .datetimes import INVALID, parse_datetime


class DateTimeFormField(forms.Field):
    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return parse_datetime(value)
        except ValueError:
            raise forms.ValidationError(INVALID, code="invalid") from None


class DateTimeFilter(filters.IsoDateTimeFilter):
    field_class = DateTimeFormField


class WholeNumberFilter(filters.NumberFilter):
    field_class = forms.IntegerField


@extend_schema_field(OpenApiTypes.DATETIME)
class QueryDateTimeField(serializers.Field):
    """For a serializer of query parameters; ``end_of_day`` as in :func:`parse_datetime`."""

    default_error_messages = {"invalid": INVALID}

    def __init__(self, *, end_of_day: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_of_day = end_of_day

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return parse_datetime(data, end_of_day=self.end_of_day)
        except ValueError:
            self.fail("invalid")
