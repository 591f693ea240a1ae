"""What every request passes: the host it names, the size and time of its body, and headers of every answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from doldari.web.requests import LARGEST_BODY, SLOWEST_BODY

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """An ASGI application around another.

    hosts are the names by which it may be called, None for any: a server on the loopback interface answers no page
    of another site that has its name lead here (DNS rebinding).
    """

    def __init__(self, app: App, hosts: tuple[str, ...] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with 400, 408 or 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        headers = dict(scope["headers"])
        if self.hosts is not None and without_port(headers.get(b"host", b"").decode("latin-1")) not in self.hosts:
            await refuse(
                send_with_headers, 400, "this server answers only to localhost; start it with --host to share it"
            )
            return
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                body = await whole_body(receive)
        except TimeoutError:
            await refuse(send_with_headers, 408, f"the request's body was not there within {SLOWEST_BODY:.0f} s")
            return
        if body is None:
            await refuse(
                send_with_headers, 413, f"the request's body is larger than {LARGEST_BODY:,} bytes, the limit"
            )
            return
        sent = False

        async def receive_body() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_body, send_with_headers)


async def whole_body(receive: Receive) -> bytes | None:
    """Read a request's body; None of one that is too large.  One whose client goes away is cut short."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def without_port(host: str) -> str:
    """Take the name of a Host header."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()


async def refuse(send: Send, status: int, error: str) -> None:
    """Answer with an error, and close the connection: the rest of the body is not read."""
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
