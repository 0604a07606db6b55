"""The paths of live streams: the list, the three WebSockets, and the page with captions for many readers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.templating import Jinja2Templates
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from access import WRONG_ORIGIN, Access
from hub.connection import Connection
from hub.hub import Hub
from hub.recording import Recognizer, Recording
from hub.subscription import Subscription
from hub.wire import SUBPROTOCOL
from protocol.events import STREAM_NAME

RETRY_AFTER_S = 5
GOODBYE_S = 5  # for the last messages when the server stops
BEARER = "bearer."


class Streams:
    """`ready` says whether the server takes streams."""

    def __init__(self, hub: Hub, recognizer: Recognizer, ready: Callable[[], bool], access: Access) -> None:
        self._hub = hub
        self._recognizer = recognizer
        self._ready = ready
        self._access = access
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    async def record(self, websocket: WebSocket, name: str) -> None:
        await self._serve(websocket, lambda: Recording(websocket, self._hub, name, self._recognizer), makes=True)

    async def subscribe(self, websocket: WebSocket, name: str) -> None:
        query = websocket.query_params.multi_items()
        await self._serve(websocket, lambda: Subscription(websocket, self._hub, name, token_of(websocket), query))

    async def publish(self, websocket: WebSocket, name: str) -> None:
        await self._serve(websocket, lambda: Subscription(websocket, self._hub, name, token_of(websocket), None))

    def listing(self, request: Request) -> Response:
        if not self._ready():
            return _busy()
        return JSONResponse({"streams": self._hub.listing(token_of(request))})

    async def stop(self) -> None:
        """Ends every stream; subscribers get what is left of it."""
        self._hub.stop()
        for connection in self._connections:
            connection.wake()
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=GOODBYE_S)

    async def _serve(self, websocket: WebSocket, make: Callable[[], Connection], *, makes: bool = False) -> None:
        """Who `makes` a stream uses the server and needs its token; for a stream that lives its own token is enough."""
        if (refusal := self._refusal(websocket, makes)) is not None:
            await websocket.send_denial_response(refusal)
            return
        connection = make()
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.serve()
        finally:
            del self._connections[connection]

    def _refusal(self, websocket: WebSocket, makes: bool) -> Response | None:
        if not self._ready():
            return _busy()
        refused = self._access.refusal(websocket.headers, websocket.scope["subprotocols"])
        if refused and (makes or refused.close == WRONG_ORIGIN):
            return PlainTextResponse(refused.message, 403 if refused.close == WRONG_ORIGIN else 401)
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            return PlainTextResponse(f"offer the WebSocket subprotocol {SUBPROTOCOL}", 400)
        return None


def hub_router(streams: Streams, title: str, templates: Path) -> APIRouter:
    """With the page of captions, from `templates`."""
    router = APIRouter()
    pages = Jinja2Templates(directory=templates)

    @router.get("/listen/{name}")
    async def listen(request: Request, name: str) -> Response:
        if not STREAM_NAME.fullmatch(name):
            raise HTTPException(404)
        return pages.TemplateResponse(request, "listen.html", {"title": title, "stream": name})

    @router.get("/streams")
    async def listing(request: Request) -> Response:
        return streams.listing(request)

    router.add_api_websocket_route("/streams/{name}/record", streams.record)
    router.add_api_websocket_route("/streams/{name}/subscribe", streams.subscribe)
    router.add_api_websocket_route("/streams/{name}/publish", streams.publish)
    return router


def token_of(connection: HTTPConnection) -> str:
    """From the header, or from the subprotocols, for browsers; empty when there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = connection.scope.get("subprotocols", [])
    return next((each.removeprefix(BEARER) for each in offered if each.startswith(BEARER)), "")


def _busy() -> Response:
    return PlainTextResponse("not ready, try again", 503, headers={"Retry-After": str(RETRY_AFTER_S)})
