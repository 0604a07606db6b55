"""One worker process and the pipe to it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import perf_counter

from recognizer.base import Engine, ModelError, Request, Transcript

PR_SET_PDEATHSIG = 1  # prctl(2)


Answer = Transcript | str  # the transcript, or the stack trace of an engine that raised


@dataclass(frozen=True)
class Ready:
    """What a child says of its engine when that is loaded and warm; see recognizer.base.Engine."""

    device: str = ""
    search: str = ""
    eager: bool = False
    together: int = 1
    drafts_together: int = 1


class ChildDied(Exception):
    """The process ended before it answered."""


class Child:
    """Start, ask, kill, and start again. One question at a time."""

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self.engine = Ready()  # as it says of itself once it is loaded

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def ended(self) -> bool:
        """Whether the process is gone or a zombie, which stays to be reaped by `kill`."""
        try:
            return self.pid is None or os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def start(self) -> None:
        """Returns when the engine is loaded and warm. Raises ModelError or ChildDied."""
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run_child, args=(self._make_engine, theirs), daemon=True)
        self._process.start()
        theirs.close()
        try:
            answer = await self._receive()
        except BaseException:
            await self.kill()
            raise
        if not isinstance(answer, Ready):
            await self.kill()
            raise ModelError(str(answer))
        self.engine = answer

    async def ask(self, batch: Sequence[Request]) -> list[Answer]:
        """Each request's answer. Raises ChildDied."""
        if self._pipe is None:
            raise ChildDied
        try:
            await asyncio.to_thread(self._pipe.send, batch)
        except (OSError, ValueError):
            raise ChildDied from None
        answers = await self._receive()
        if not isinstance(answers, list) or len(answers) != len(batch):
            raise AssertionError("a child answers every request")
        return answers

    async def kill(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        try:
            if process is not None:
                process.kill()
                await asyncio.to_thread(process.join)
                process.close()
        finally:  # also when we are cancelled while it ends
            if pipe is not None:
                pipe.close()

    async def _receive(self) -> object:
        if self._pipe is None:
            raise ChildDied
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._pipe.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(descriptor)
            os.set_blocking(descriptor, True)  # uvloop made it non-blocking: a long utterance would not fit in
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            raise ChildDied from None


def run_child(make_engine: Callable[[], Engine], pipe: Connection) -> None:
    """The process: load, warm up, then answer until the parent closes the pipe or dies."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when a worker ends
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        engine = make_engine()
        engine.warm_up()
    except ModelError as error:
        pipe.send(str(error))
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send(f"the model cannot be used: {type(error).__name__}")
        return
    pipe.send(Ready(engine.device, engine.search, engine.eager, engine.together, engine.drafts_together))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(_answers(engine, pipe.recv()))


def _answers(engine: Engine, batch: Sequence[Request]) -> list[Answer]:
    """Together; where that fails, each alone, so that one fails alone."""
    began = perf_counter()
    try:
        found = engine.transcribe(batch)
    except Exception:
        return [traceback.format_exc()] if len(batch) == 1 else [_answers(engine, [one])[0] for one in batch]
    return [replace(transcript, decode_seconds=perf_counter() - began) for transcript in found]
