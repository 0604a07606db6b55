"""Settings to a working hub."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from access import Access
from hub.hub import Hub, Rules
from hub.recognition import Recognition, Serve
from hub.routes import Streams
from hub.stream import Depth
from settings import Settings


def build_hub(settings: Settings) -> Hub:
    rules = Rules(
        open=settings.streams_open,
        depth=Depth(settings.stream_history_s, int(settings.stream_history_mb * 1_000_000)),
        grace_s=settings.stream_grace_s,
        speed=settings.stream_speed,
        max_streams=settings.max_shared_streams,
        max_subscribers=settings.max_subscribers,
        max_listeners=settings.max_listeners,
    )
    langs = [settings.default_lang, *(lang for lang in settings.models if lang != settings.default_lang)]
    return Hub(rules, langs, secrets.token_urlsafe, _later)


def build_streams(
    hub: Hub, serve: Serve, full: Callable[[], bool], ready: Callable[[], bool], access: Access
) -> Streams:  # fmt: skip
    """`serve` runs one recognition session; `full` says that there is no place for one."""
    return Streams(hub, Recognition(hub, serve, full), ready, access)


def _later(delay_s: float, function: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(delay_s, function, *arguments)
