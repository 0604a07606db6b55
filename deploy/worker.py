"""gunicorn's uvicorn worker with the limits that `speech_api` sets for uvicorn."""

from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from speech_api import UVICORN


class Worker(UvicornWorker):
    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {"loop": "uvloop", "http": "httptools", **UVICORN}
