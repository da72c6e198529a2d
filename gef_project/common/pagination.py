"""``{"data": [...], "page": 1, "per_page": 20, "total": 57}``."""

from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .errors import BadRequest
from .schema import query_parameter


def whole_number(request: Request, name: str, default: int, *, most: int | None = None) -> int:
    """A query parameter from 1 to ``most``; a number outside is clamped.

    Raises:
        BadRequest: it is not a whole number.
    """
    text = request.query_params.get(name, "")
    try:
        number = max(int(text), 1) if text else default
    except ValueError:
        raise BadRequest(f"{name}: {text!r} is not a whole number.", "invalid") from None
    return number if most is None else min(number, most)


class EnvelopePagination(BasePagination):
    """Pages when ``page`` or ``per_page`` is given; otherwise the whole list, as ``{"data": [...]}``."""

    per_page = 20
    most_per_page = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        if not {"page", "per_page"} & request.query_params.keys():
            self.counts: dict[str, int] = {}
            return list(queryset)
        page = whole_number(request, "page", 1)
        per_page = whole_number(request, "per_page", self.per_page, most=self.most_per_page)
        total = queryset.count()
        self.counts = {"page": page, "per_page": per_page, "total": total}
        first = (page - 1) * per_page
        return list(queryset[first : first + per_page]) if first < total else []

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, **self.counts})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer", "description": "Only if page or per_page is given."}
        shown = {"page": 1, "per_page": self.per_page, "total": 1}
        counts = {name: {**number, "example": value} for name, value in shown.items()}
        return {"type": "object", "required": ["data"], "properties": {"data": schema, **counts}}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        number = {"type": "integer"}
        return [
            query_parameter("page", "The page, from 1 on. One past the end is empty.", number),
            query_parameter(
                "per_page",
                f"Rows a page: {self.per_page} unless given, from 1 to {self.most_per_page}.",
                number,
            ),
        ]
