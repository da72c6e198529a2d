"""JSON bodies: plain or gzipped, never larger than the limit, and only what JSON knows."""

import json
import math
import zlib
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from .errors import TooLarge

# More than lie between the parser and whatever writes what it has read.
FRAMES_LEFT = 200
_GZIP = zlib.MAX_WBITS | 16


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
            return _read(body, FRAMES_LEFT)
        except RecursionError:
            raise ParseError("The body is not JSON that can be read: it is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from error


def _read(body: bytes, frames: int) -> Any:
    """The document, read so many calls further down: what is nested so deeply that it can just be read here
    could not be written from there any more.
    """
    if frames:
        return _read(body, frames - 1)
    # json.loads tells UTF-8, -16 and -32 apart, as JSON's standard demands.
    return json.loads(body, parse_constant=_refuse, parse_float=_finite)


def _is_gzipped(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "").strip().lower() == "gzip"


def _inflate(body: bytes, limit: int) -> bytes:
    """At most one byte more than the limit, so that a small body cannot fill the memory."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise ParseError(f"The body is not gzip: {error}") from error
    if len(inflated) <= limit and not inflater.eof:
        raise ParseError("The body is not gzip: it ends too early.")
    return inflated


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number
