"""Serving an explorer: marimo's page on this computer only, until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bayescpt.errors import MissingExtraError, WriteError
from bayescpt.present.explorer.session import open_session
from bayescpt.present.explorer.view import Session

# Reached from this computer only: whoever may read the page may see the losses.
HOST = "127.0.0.1"
# Without --port the first that is free from here on, so that a link works again.
PORTS = range(2718, 2738)


def make_page() -> Any:
    """The page as an application for a server.

    Returns
    -------
    Any
        An ASGI application.

    Raises
    ------
    MissingExtraError
        If marimo is not installed: it comes with the extra ``interactive``.
    """
    try:
        import marimo
    except ImportError as error:
        raise MissingExtraError("marimo", "interactive") from error
    builder = marimo.create_asgi_app(quiet=True, include_code=False)
    return builder.with_app(path="", root=str(Path(__file__).parent / "app.py")).build()


def bind(port: int | None = None) -> socket.socket:
    """Take a port of this computer.

    Parameters
    ----------
    port : int, optional
        Number; by default the first free one of `PORTS`, or else any.

    Returns
    -------
    socket.socket
        Bound to the port.

    Raises
    ------
    WriteError
        If the port is taken, or not one that may be used.
    """
    for number in [port] if port is not None else [*PORTS, 0]:
        place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, number))
            place.listen()
        except OSError as error:
            place.close()
            if port is not None:
                raise WriteError(
                    f"--port {port}: {error.strerror}; leave --port out for a free one"
                ) from error
        else:
            return place
    raise WriteError("no free port")


class LocalOnly:
    """An application that answers pages of this computer only.

    Any site that a browser shows may send requests to this computer, under a name of its own that
    leads here, too: those say so in their ``Host`` or ``Origin``.

    Parameters
    ----------
    app : ASGI application
        What answers the others.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan" or all(map(_is_local, _named(scope["headers"]))):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            plain = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            body = f"open this page as http://{HOST}".encode()
            await send({"type": "http.response.body", "body": body})


def _named(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """Addresses that a request gives for where it goes and where it comes from."""
    for name, value in headers:
        if name == b"host":
            yield f"//{value.decode('latin-1')}"
        elif name == b"origin":
            yield value.decode("latin-1")


def _is_local(address: str) -> bool:
    try:
        return urlsplit(address).hostname in (HOST, "localhost")
    except ValueError:
        return False


def serve(page: Any, session: Session, place: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve a session until a signal ends the process's wait.

    Parameters
    ----------
    page : Any
        From `make_page`.
    session : Session
        What is explored.
    place : socket.socket
        From `bind`.
    ready : callable
        Called with the address once the page can be opened.
    """
    import uvicorn

    class _Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Start, and say so."""
            await super().startup(sockets)
            ready(f"http://{HOST}:{place.getsockname()[1]}")

    open_session(session)
    # Open pages do not keep it from ending.
    config = uvicorn.Config(
        LocalOnly(page), log_level="error", timeout_graceful_shutdown=1, lifespan="on"
    )
    _Server(config).run([place])
