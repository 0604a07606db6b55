"""gunicorn in front of one process: all live streams share one voice detector and one set of recogniser workers."""

import sys
from typing import Any

from settings import SettingsError, load_settings

try:
    _settings = load_settings()
except SettingsError as error:
    sys.exit(str(error))
wsgi_app = "speech_api:app"
worker_class = "deploy.worker.Worker"
workers = 1  # more would each load the models and have live streams of their own; recognition scales by WORKERS
bind = f"{_settings.host}:{_settings.port}"
timeout = 60  # an event loop that hangs longer is replaced; counted from its first beat, after the models loaded
graceful_timeout = int(_settings.decode_timeout_s) + 15  # utterances in flight are finished on SIGTERM
forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True  # nothing here uses it
accesslog = None  # who dictates when is nobody's business


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """A second process would know nothing of the first one's live streams: half of their listeners would find none."""
    if new_value > 1:
        sentence = (
            f"{new_value} worker processes: live streams need exactly one; recognition scales by WORKERS in conf.py"
        )
        if old_value is None:
            sys.exit(sentence)
        server.log.error(sentence)
        server.num_workers = 1
