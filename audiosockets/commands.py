"""What the command `audiosockets` does; `cli` reads its arguments."""

import argparse
import asyncio
import contextlib
import importlib
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiosockets.config import Config, ConfigError
from audiosockets.microphone import devices
from audiosockets.processor import Processor
from audiosockets.processors import BUNDLED
from audiosockets.recorder import Recorder
from audiosockets.wire import Block, Event, Message, Stream

CONFIG_FILE = Path("audiosockets.toml")  # read when it is there and no other is named
TIMEOUT_S = 10.0


def record(options: argparse.Namespace) -> None:
    """Records until the file ends, or Ctrl-C."""
    changes = {
        name: getattr(options, name)
        for name in ("file", "device", "sample_rate", "channels", "encoding", "recognize", "open", "buffer_s")
    }
    if options.recognize == "default":
        changes["recognize"] = ""
    if options.device is not None:
        changes["file"] = ""  # also when the configuration names one
    recorder = Recorder(_config(options, **changes))
    threading.Thread(target=_announce, args=(recorder,), daemon=True).start()
    recorder.run()
    if recorder.backlog.dropped:
        missing_s = recorder.backlog.dropped / recorder.format.sample_rate
        raise ConfigError(
            f"{missing_s:.1f} s were lost while the network was away: buffer_s is {recorder.config.buffer_s:g}"
        )


def _announce(recorder: Recorder) -> None:
    recorder.ready.wait()
    config, format = recorder.config, recorder.format
    tokens = {name.removesuffix("_token"): f" --token {token}" for name, token in recorder.tokens.items()}
    key = "" if config.open else f"#{recorder.tokens['listen_token']}"
    where = f"{config.stream} --server {config.url('', http=True)}"
    print(
        f"recording {config.stream}: {format.sample_rate} Hz, {format.channels} channel(s), {format.encoding}\n"
        f"  page:     {config.url(f'/listen/{config.stream}', http=True)}{key}\n"
        f"  listen:   audiosockets listen {where}{'' if config.open else tokens['listen']}\n"
        f"  process:  audiosockets run level {where}{tokens['publish']}",
        file=sys.stderr,
        flush=True,
    )


def listen(options: argparse.Namespace) -> None:
    """Prints what is said; with other layers, or --json, each message as a line of JSON."""
    layers = options.layers.split(",")
    processor = Processor(_config(options), layers=layers, since=options.since)
    show = _show_json if options.json or layers != ["results"] else _show_captions

    async def follow() -> None:
        async for message in processor:
            show(processor.stream, message)

    with contextlib.suppress(BrokenPipeError):
        asyncio.run(follow())


def _show_captions(stream: Stream | None, message: Message) -> None:
    """An interim result is overwritten by the next, where the output is a terminal."""
    if not isinstance(message, Event) or message.data.get("type") != "result" or not message.data["alternatives"]:
        return
    assert stream is not None
    line = f"{stream.seconds(message.start):8.2f} s  {message.data['alternatives'][0]['transcript']}"
    if message.data["final"]:
        print(f"\r\x1b[K{line}" if sys.stdout.isatty() else line, flush=True)
    elif sys.stdout.isatty():
        print(f"\r\x1b[K\x1b[2m{line}\x1b[0m", end="", flush=True)


def _show_json(stream: Stream | None, message: Message) -> None:
    if isinstance(message, Block):
        values: dict[str, Any] = {"layer": "audio", "start": message.start, "end": message.end}
    else:
        values = asdict(message)
        if isinstance(message, Event):
            values["payload"] = f"{len(message.payload)} bytes"
    print(json.dumps({"type": type(message).__name__.lower(), **values}, ensure_ascii=False), flush=True)


def run(options: argparse.Namespace) -> None:
    """Runs a processor until the stream ends, or Ctrl-C. Its options are attributes: -o layer=loudness."""
    kind = find_processor(options.processor)
    values = dict(assignment(text, kind.options()) for text in options.options)
    if options.since is not None:
        values["since"] = options.since
    try:
        processor = kind(_config(options), **values)
    except TypeError as error:
        raise ConfigError(str(error)) from None
    processor.run()


def find_processor(name: str) -> type[Processor]:
    """Raises ConfigError when `module:Class` is none."""
    module, _, attribute = BUNDLED.get(name, name).partition(":")
    sys.path.insert(0, "")  # a module beside us, as `python -m` finds it
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name} is no module:Class, nor one of {', '.join(BUNDLED)}: {error}") from None
    if not (isinstance(kind, type) and issubclass(kind, Processor)):
        raise ConfigError(f"{name} is no audiosockets.Processor")
    return kind


def assignment(text: str, defaults: Mapping[str, Any]) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON, or else text, and several in a row where the option is a list: a,b,c."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"-o {text}: it must be NAME=VALUE")
    if isinstance(defaults.get(name), str):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value.split(",") if isinstance(defaults.get(name), list | tuple) else value


def streams(options: argparse.Namespace) -> None:
    """Those that are open, and those that the token opens."""
    config = _config(options)
    request = urllib.request.Request(config.url("/streams", http=True), headers=config.headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=config.ssl_context()) as answer:
            found = json.load(answer)["streams"]
    except urllib.error.HTTPError as error:
        raise ConfigError(f"{config.server} answered {error.code} {error.reason}") from None
    for each in found:
        seconds = each["position"] / each["sample_rate"]
        layers = ",".join(each["layers"])
        print(
            f"{each['name']:<20} {each['recorder']:<5} {seconds:9.1f} s  {each['sample_rate']} Hz x {each['channels']}"
            f"  {each['subscribers']} subscriber(s)  {layers}"
        )
    if not found:
        print("no stream that this token opens, and none that is open to all", file=sys.stderr)


def list_devices(options: argparse.Namespace) -> None:
    """The number or a part of the name is what --device takes."""
    for each in devices():
        mark = "*" if each.default else " "
        print(f"{mark} {each.index:3}  {each.name}  ({each.host}, {each.channels} channel(s), {each.sample_rate} Hz)")


def _config(options: argparse.Namespace, **changes: Any) -> Config:
    """The named file, or ./audiosockets.toml, or the defaults; then the arguments."""
    base = Config()
    if options.config or CONFIG_FILE.exists():
        base = Config.load(options.config or CONFIG_FILE)
    if options.server:
        changes |= {"server": options.server, "port": None, "tls": False}
    return Config.of(base, stream=options.stream, token=options.token, **changes)
