"""gunicorn in front of one process: all live streams share one voice detector and one set of recogniser workers."""

import sys

from settings import SettingsError, load_settings

try:
    _settings = load_settings()
except SettingsError as error:
    sys.exit(str(error))
wsgi_app = "speech_api:app"
worker_class = "deploy.worker.Worker"
workers = 1  # more would each load the models; recognition scales by WORKERS in conf.py
bind = f"{_settings.host}:{_settings.port}"
timeout = 60  # an event loop that hangs longer is replaced; counted from its first beat, after the models loaded
graceful_timeout = int(_settings.decode_timeout_s) + 15  # utterances in flight are finished on SIGTERM
forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True  # nothing here uses it
accesslog = None  # who dictates when is nobody's business
