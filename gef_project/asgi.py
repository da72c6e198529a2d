"""The web server's entry: ``gunicorn --config deploy/gunicorn.conf.py gef_project.asgi``.

Requests are answered in a few threads that live as long as the process and keep their database connections.
An answer that has to wait is an asynchronous iterator; the event loop reads it, and it holds no thread.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gef_project.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core import signals  # noqa: E402
from django.core.exceptions import RequestAborted  # noqa: E402
from django.core.handlers.asgi import ASGIHandler, get_script_prefix  # noqa: E402
from django.http.response import HttpResponseBase  # noqa: E402
from django.urls import set_script_prefix  # noqa: E402

Message = dict[str, Any]


class Application(ASGIHandler):
    """Django's own handler gives each request a thread, and so a database connection, that dies with it."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, "request")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"There is nothing here for {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        scope = {**scope, "headers": _with_length(scope["headers"], body)}
        loop = asyncio.get_running_loop()

        def emit(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(send(message), loop).result()

        with body:
            response, messages = await loop.run_in_executor(self._threads, self._answer, scope, body, emit)
        if response is None:
            for message in messages:
                await send(message)
        else:
            try:
                await _until_gone(self._stream(response, send), receive)
            finally:
                await loop.run_in_executor(self._threads, response.close)

    async def read_body(self, receive: Any) -> IO[bytes]:
        """The body, as far as it may be read: of one that is too large, enough to see that it is."""
        body: Any = SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115
        message: Message = {"more_body": True}
        while message.get("more_body") and body.tell() <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            message = await receive()
            if message["type"] == "http.disconnect":
                body.close()
                raise RequestAborted
            body.write(message.get("body", b""))
        body.seek(0)
        return body  # type: ignore[no-any-return]

    def _answer(
        self, scope: Message, body: IO[bytes], emit: Callable[[Message], None]
    ) -> tuple[HttpResponseBase | None, list[Message]]:
        """In a thread: an answer that has to wait, or the messages of one that has not."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        response: Any
        request, response = self.create_request(scope, body)
        if request is not None:
            response = self.get_response(request)
        if getattr(response, "is_async", False):
            return response, []
        try:
            if response.streaming:
                for message in _messages(response, scope):
                    emit(message)
                return None, []
            return None, list(_messages(response, scope))
        finally:
            response.close()

    async def _stream(self, response: Any, send: Any) -> None:
        await send(_start(response))
        async with aclosing(aiter(response)) as parts:
            async for part in parts:
                await send(_part(part))
        await send({"type": "http.response.body"})


def _with_length(headers: Any, body: IO[bytes]) -> list[tuple[bytes, bytes]]:
    """A body that came in chunks has a length by now; the REST framework would read none of it without."""
    if any(name == b"content-length" for name, _ in headers):
        return list(headers)
    body.seek(0, os.SEEK_END)
    length = body.tell()
    body.seek(0)
    return [*headers, (b"content-length", b"%d" % length)]


async def _until_gone(answer: Any, receive: Any) -> None:
    """Run the answer until it or its client has gone."""
    answering = asyncio.create_task(answer)
    listening = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({answering, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        listening.cancel()
        answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering


def _messages(response: Any, scope: Message) -> Iterator[Message]:
    yield _start(response)
    if scope["method"] == "HEAD":
        yield {"type": "http.response.body"}
    elif response.streaming:
        yield from map(_part, response)
        yield {"type": "http.response.body"}
    else:
        yield {"type": "http.response.body", "body": response.content}


def _start(response: Any) -> Message:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()
    ]
    return {"type": "http.response.start", "status": response.status_code, "headers": headers}


def _part(part: bytes) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": True}


application = Application()
