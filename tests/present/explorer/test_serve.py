"""The explorer's page is for this computer: other sites' pages in its browser get no answer."""

import asyncio

import pytest

from bayescpt.present.explorer.serve import LocalOnly

OWN = b"127.0.0.1:2718"


def answer(kind, headers):
    """What an application behind `LocalOnly` sends on a request."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "answered"})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "headers": headers}
    asyncio.run(LocalOnly(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", OWN)],
        [(b"host", b"localhost:9")],
        [(b"host", OWN), (b"origin", b"http://127.0.0.1:2718")],
        [(b"host", OWN), (b"origin", b"http://localhost:2718")],
    ],
)
def test_pages_of_this_computer_are_answered(kind, headers):
    assert answer(kind, headers) == [{"type": "answered"}]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"losses.example")],
        [(b"host", b"127.0.0.1.losses.example:2718")],
        [(b"host", OWN), (b"origin", b"https://losses.example")],
        [(b"host", OWN), (b"origin", b"null")],
        [(b"host", OWN), (b"origin", b"http://127.0.0.1@losses.example")],
        [(b"host", b"[")],
    ],
)
def test_others_are_refused(headers):
    assert answer("http", headers)[0]["status"] == 403
    (closed,) = answer("websocket", headers)
    assert closed["type"] == "websocket.close"


def test_the_start_of_the_server_is_no_request():
    assert answer("lifespan", []) == [{"type": "answered"}]
