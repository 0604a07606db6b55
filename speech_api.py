"""The web service: one page, one WebSocket, two health checks."""

import asyncio
import logging
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles

from access import Access
from handshake import WebSocketProtocol
from hub.factory import build_hub, build_streams
from hub.routes import hub_router
from hub.tap import SessionTap
from pages import add_pages
from protocol.native import MAX_MESSAGE_BYTES
from recognizer.base import Backend, ModelError
from recognizer.factory import build_backends
from session.handler import Handler, refuse
from session.recorder import Recorder
from session.session import Session
from session.tap import Tap
from settings import Settings, SettingsError, load_settings
from shutdown import drain_on_signals
from vad.scorer import Scorer, Vad
from vad.segmenter import SegmenterOptions
from vad.silero import load_silero

HERE = Path(__file__).parent
log = logging.getLogger("speech")
RETRY_AFTER_S = 5
GUNICORN_GIVES_UP = 3  # gunicorn starts a worker again after any other exit code: Arbiter.WORKER_BOOT_ERROR
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


SHARED_PATHS = ("/static/js/", "/v1/models")  # what the pages of ALLOWED_ORIGINS load


class Service:
    """What lives as long as the application: the models and the connections."""

    def __init__(self, settings: Settings, backends: Mapping[str, Backend] | None, vad: Vad | None) -> None:
        self.settings = settings
        self.ready = False
        self.backends = backends
        self.vad = vad
        self.access = Access(frozenset(settings.allowed_origins.lower().split()), settings.access_token)
        self.connections: dict[Handler, asyncio.Task[Any]] = {}
        self.recorder: Recorder | None = None
        self.tidying: asyncio.Task[None] | None = None
        self.hub = build_hub(settings)
        self.streams = build_streams(self.hub, self.serve, lambda: self.full, lambda: self.ready, self.access)

    async def open(self) -> None:
        settings = self.settings
        self.scorer = Scorer(self.vad or load_silero())
        if recorder := _recorder(settings):
            self.recorder, self.tidying = recorder, asyncio.create_task(recorder.keep_tidy())
        if self.backends is None:
            self.backends = build_backends(settings)
        await asyncio.gather(*(backend.start() for backend in set(self.backends.values())))
        self.ready = True
        models = ", ".join(
            f"{lang}: {settings.models[lang]} ({b.device}, {b.search})" for lang, b in self.backends.items()
        )
        log.info("ready on http://%s:%d with %s", settings.host, settings.port, models)

    async def drain(self) -> None:
        """Finishes the utterances in flight and closes every stream with 1012."""
        self.ready, self.hub.stopping = False, True
        connections = dict(self.connections)
        await asyncio.gather(*(handler.drain() for handler in connections), return_exceptions=True)
        if connections:
            await asyncio.wait(connections.values(), timeout=self.settings.decode_timeout_s)
        await self.streams.stop()

    async def close(self) -> None:
        self.ready = False
        if self.tidying is not None:
            self.tidying.cancel()
        for backend in set((self.backends or {}).values()):
            await backend.close()
        await self.scorer.close()

    @property
    def full(self) -> bool:
        """No stream more: too many, or the recogniser is behind."""
        late = any(backend.late for backend in (self.backends or {}).values())
        return not self.ready or late or len(self.connections) >= self.settings.max_streams

    async def connect(self, websocket: WebSocket) -> None:
        if refusal := self.access.refusal(websocket.headers, websocket.scope["subprotocols"]):
            return await refuse(websocket, refusal)
        if self.full:
            busy = PlainTextResponse("too busy, try again", 503, headers={"Retry-After": str(RETRY_AFTER_S)})
            return await websocket.send_denial_response(busy)
        await self.serve(websocket, lambda id: SessionTap(id, self.hub))

    async def serve(self, websocket: WebSocket, make_tap: Callable[[str], Tap]) -> None:
        """One session; `make_tap` is told its id."""
        options = _segmenter_options(self.settings)
        session = Session(uuid.uuid4().hex[:12], dict(self.settings.models), self.settings.default_lang, options)
        tap = make_tap(session.id)
        handler = Handler(websocket, session, self.scorer, self.backends or {}, self.recorder, tap)
        self.connections[handler] = asyncio.tasks.current_task()  # type: ignore[assignment]  # we are in one
        try:
            await handler.serve()
        finally:
            del self.connections[handler]


def create_app(
    settings: Settings, backends: Mapping[str, Backend] | None = None, vad: Vad | None = None
) -> FastAPI:  # fmt: skip
    """`backends` (language -> backend) and `vad` take the place of what the settings name."""
    service = Service(settings, backends, vad)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        logging.getLogger("speech").setLevel(settings.log_level)
        try:
            await service.open()
        except (ModelError, SettingsError) as error:
            await service.close()
            log.critical("%s", error)
            logging.shutdown()
            os._exit(GUNICORN_GIVES_UP if "gunicorn" in sys.modules else 1)  # raising would print a stack trace
        with drain_on_signals(service.drain):
            yield
        await service.close()

    app = FastAPI(title=settings.title, version=settings.version, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        response.headers.update(SECURITY_HEADERS)
        response.headers.setdefault("Cache-Control", "no-cache")
        if request.url.path.startswith(SHARED_PATHS):
            response.headers.update(service.access.cors_headers(request.headers.get("origin", "")))
        return response

    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    add_pages(app, settings, lambda: service.ready)
    app.add_api_websocket_route("/ws", service.connect)
    app.include_router(hub_router(service.streams, settings.title, HERE / "templates"))
    return app


def _segmenter_options(settings: Settings) -> SegmenterOptions:
    return SegmenterOptions(
        settings.vad_threshold,
        settings.min_speech_ms,
        settings.min_silence_ms,
        settings.padding_ms,
        settings.max_utterance_ms,
        settings.draft_interval_ms,
    )


def _recorder(settings: Settings) -> Recorder | None:
    """Raises SettingsError."""
    if not settings.save_audio:
        return None
    max_bytes = int(settings.save_max_mb * 1_000_000)
    try:
        return Recorder(
            Path(settings.save_dir), models=dict(settings.models), max_days=settings.save_max_days, max_bytes=max_bytes
        )
    except OSError as error:
        raise SettingsError(f"SAVE_DIR is {settings.save_dir!r}; it cannot be used: {error.strerror}") from None


# The sans-I/O implementation carries half as many clients again per core; a message over the limit closes with 1009.
UVICORN: dict[str, Any] = {
    "ws": WebSocketProtocol,
    "ws_max_size": MAX_MESSAGE_BYTES,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": None,  # while back-pressure holds, a pong waits unread behind the audio: silence is no death
    "log_config": None,
}


def _settings_or_exit() -> Settings:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return load_settings()
    except SettingsError as error:
        sys.exit(str(error))


app = create_app(_settings_or_exit())


def main() -> None:
    import uvicorn

    settings = load_settings()
    uvicorn.run(app, host=settings.host, port=settings.port, **UVICORN)
