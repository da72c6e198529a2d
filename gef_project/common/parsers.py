"""JSON bodies: plain or gzipped, up to a size limit, and strictly JSON."""

import json
import math
import zlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from .errors import TooLarge

_GZIP = zlib.MAX_WBITS | 16
# Levels of lists and objects. Deeper documents can be parsed, but not serialized everywhere.
MAX_DEPTH = 200


class BoundedJSONParser(BaseParser):
    """Accepts up to ``DATA_UPLOAD_MAX_MEMORY_SIZE`` bytes, counted after they are inflated."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if parser_context and _is_gzipped(parser_context["request"].headers):
            body = _inflate(body, limit)
        if len(body) > limit:
            raise TooLarge(f"A body may have {limit} bytes.")
        try:
            # json.loads tells UTF-8, -16 and -32 apart, as JSON's standard demands.
            document = json.loads(body, parse_constant=_refuse, parse_float=_finite)
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error
        if _is_too_deep(document):
            raise _too_deep()
        return document


def _is_gzipped(headers: Mapping[str, str]) -> bool:
    encoding = headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise ParseError(f"Content-Encoding: {encoding[:40]!r} is not known; send the body plain or as gzip.")
    return encoding.endswith("gzip")


def _inflate(body: bytes, limit: int) -> bytes:
    """The inflated body, cut one byte after the limit, so that a small body cannot fill the memory."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise ParseError(f"The body is not gzip: {error}") from error
    if len(inflated) <= limit and not inflater.eof:
        raise ParseError("The body is not gzip: it ends too early.")
    if inflater.unused_data:
        raise ParseError("The body is not gzip: something follows its end.")
    return inflated


def _is_too_deep(document: Any) -> bool:
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
    return bool(level)


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested too deeply: {MAX_DEPTH} levels of lists and objects are allowed.")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number
