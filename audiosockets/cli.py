"""The command `audiosockets`: record, listen, run, streams, devices."""

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any

from audiosockets.commands import CONFIG_FILE, list_devices, listen, record, run, streams
from audiosockets.link import Refused
from audiosockets.processors import BUNDLED


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
