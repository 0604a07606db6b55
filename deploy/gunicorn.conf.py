"""gunicorn in front of one process: all live streams share one voice detector and one set of recogniser workers."""

import os

wsgi_app = "speech_api:app"
worker_class = "deploy.worker.Worker"
workers = 1  # more would each load the models; recognition scales by SPEECH_WORKERS
bind = os.environ.get("SPEECH_BIND", "127.0.0.1:8000")
timeout = 60  # the event loop answers gunicorn's heartbeat; models load in other processes
graceful_timeout = 45  # longer than DECODE_TIMEOUT_S: utterances in flight are finished on SIGTERM
forwarded_allow_ips = "127.0.0.1"
accesslog = None  # what people dictate to whom is nobody's business
