"""The command `audiosockets`: record, listen, run, streams, devices."""

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiosockets.config import Config, ConfigError
from audiosockets.link import Refused
from audiosockets.microphone import devices
from audiosockets.processor import Processor
from audiosockets.processors import BUNDLED
from audiosockets.recorder import Recorder
from audiosockets.wire import Block, Event, Message, Stream

CONFIG_FILE = Path("audiosockets.toml")  # read when it is there and no other is named
TIMEOUT_S = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 for what is wrong or was refused, 130 after Ctrl-C."""
    options = _parsed(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        options.command(options)
    except (Refused, OSError, ValueError) as error:  # also ConfigError: what the user can set right
        print(f"audiosockets: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


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
    values = dict(_assignment(text, kind.options()) for text in options.options)
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


def _assignment(text: str, defaults: Mapping[str, Any]) -> tuple[str, Any]:
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


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    names_one = options.command in (record, listen, run) and options.stream is None
    if names_one and len(rest) == 1 and not rest[0].startswith("-"):
        options.stream, rest = rest[0], []  # argparse takes no optional name behind an option
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("audiosockets", description="Record audio here and process it there.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    recording = _command(commands, "record", record, "record a microphone, a file or standard input")
    _add_source(recording)
    listening = _command(commands, "listen", listen, "print captions, or all messages of some layers")
    listening.add_argument("--layers", default="results", help="with commas between them; * is all (%(default)s)")
    listening.add_argument("--from", dest="since", default="now", help="now, -10s or a position (%(default)s)")
    listening.add_argument("--json", action="store_true", help="a line of JSON for each message")
    running = _command(commands, "run", run, "run a processor")
    running.add_argument("--from", dest="since", help="now, -10s or a position (what the processor says)")
    running.add_argument("-o", dest="options", action="append", default=[], metavar="NAME=VALUE", help="an option")
    _command(commands, "streams", streams, "list the streams")
    listing = commands.add_parser("devices", help="list the microphones", description=list_devices.__doc__)
    listing.set_defaults(command=list_devices, verbose=False)
    return parser


def _command(commands: Any, name: str, command: Any, help: str) -> argparse.ArgumentParser:
    sub: argparse.ArgumentParser = commands.add_parser(name, help=help, description=command.__doc__)
    if name == "run":
        sub.add_argument("processor", help=f"module:Class, or {', '.join(BUNDLED)}")
    if name == "streams":
        sub.set_defaults(stream=None)
    else:
        sub.add_argument("stream", nargs="?", help="its name (live)")
    sub.add_argument("--config", metavar="FILE", help=f"TOML or JSON ({CONFIG_FILE}, if it is there)")
    sub.add_argument("--server", metavar="URL", help="such as https://speech.example (http://localhost:8000)")
    sub.add_argument("--token", help="better in the file, or in the variable AUDIOSOCKETS_TOKEN")
    sub.add_argument("-v", "--verbose", action="store_true", help="tell what happens")
    sub.set_defaults(command=command)
    return sub


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--file", help="a sound file, or - for raw PCM on standard input")
    source.add_argument("--device", help="the number of a microphone, or a part of its name")
    parser.add_argument("--sample-rate", type=int, metavar="HZ", help="16000 where the microphone can do that")
    parser.add_argument("--channels", type=int, help="1 to 8 (1)")
    parser.add_argument("--encoding", choices=("s16le", "f32le"), help="(s16le)")
    parser.add_argument("--recognize", metavar="LANG", help="write down what is said: ja, en, ... or default")
    parser.add_argument("--open", action="store_true", default=None, help="anybody who reaches the server may listen")
    parser.add_argument("--buffer-s", type=float, metavar="S", help="kept while the network is away")
