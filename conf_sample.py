"""The settings, with their defaults. Copy this file to conf.py and change what you need there.

Every setting can also come from the environment: SPEECH_PORT=9000, SPEECH_MODELS='{"en": "bundled:en-small"}'.
"""

TITLE = "Speech API"  # shown on the page
VERSION = "0.1.0"
LOG_LEVEL = "INFO"  # DEBUG | INFO | WARNING | ERROR; only DEBUG logs what people said

HOST = "127.0.0.1"  # address to listen on
PORT = 8000  # 1..65535
MAX_STREAMS = 500  # live connections; one more is answered 503
ALLOWED_ORIGINS = ""  # whose pages may use this server besides its own: "https://a.example https://b.example", or "*"
ACCESS_TOKEN = ""  # who connects must send it; "" lets everybody in

# Audio the page sends
CHANNELS = 1  # the protocol is mono
SAMPLE_RATE_HZ = 16000  # 8000..192000, what the page asks of the browser
SAMPLE_BITS = 32  # 32 (float) or 16 (integer) on the wire

# Models: language -> bundled name, packed .zip, unpacked directory, model-zoo name or hub id
MODELS = {"en": "bundled:en-small", "ja": "bundled:ja-small"}
DEFAULT_LANG = "en"  # a key of MODELS, for clients that name no language
CACHE_DIR = "cache"  # downloaded, unpacked and exported models; of this machine alone
DEVICE = "auto"  # auto | cpu | cuda
WORKERS = 0  # recogniser processes per model; 0 = one per core
WORKER_THREADS = 1  # 1..64 in each; more than one helps a single user of a big model on an idle machine only
DECODING = "auto"  # auto (the model's) | two_pass | exact (ESPnet's own search) | ctc (no decoder) | stock (ESPnet)
PRECISION = "auto"  # auto (the model's) | float32 | int8: on a CPU half the time, small weights, scores differ slightly
LM_WEIGHT = 0.0  # 0..5 of the language model that some packages bring; 0 leaves it out, 0.3 is a common value
BEAM_SIZE = 5  # 1..100
DECODE_TIMEOUT_S = 30.0  # 1..600; a worker that takes longer is replaced
MAX_WAITING = 64  # utterances waiting for the workers of a model, over all sessions

# Segmenter: where one utterance ends and the next begins
VAD_THRESHOLD = 0.5  # 0..1, speech probability from which a frame is speech
MIN_SPEECH_MS = 96  # shorter bursts are no speech
MIN_SILENCE_MS = 500  # this long a pause ends an utterance
PADDING_MS = 192  # audio kept before and after the speech
MAX_UTTERANCE_MS = 15000  # longer speech is cut where it is least speech-like
DRAFT_INTERVAL_MS = 300  # of speech between two interim results; grows with the utterance

# Live streams: one recording, any number of listeners and processors (docs/hub.md)
STREAMS_OPEN = False  # True on a trusted network only: everybody may hear every stream and session, and publish to it
STREAM_HISTORY_S = 30.0  # 0..3600 that a late listener may ask for; held in memory
STREAM_HISTORY_MB = 16.0  # 1..100000 of audio held of one stream, whatever STREAM_HISTORY_S says
STREAM_GRACE_S = 60.0  # 0..86400 that a stream waits for a recorder whose link was lost, and its end for a subscriber
STREAM_SPEED = 4.0  # 1..1000 times real time, for a recorder that catches up
MAX_SHARED_STREAMS = 100  # 0..100000 streams at a time, and as many ended ones for STREAM_GRACE_S; 0 turns them off
MAX_SUBSCRIBERS = 100  # 1..100000 of one stream
MAX_LISTENERS = 1000  # 1..1000000 of all streams

# Saving what was said: off unless you turn it on, and the page says so
SAVE_AUDIO = False
SAVE_DIR = "recordings"  # of each utterance a WAV file and, beside it, a line of JSON
SAVE_MAX_DAYS = 30  # older recordings are deleted
SAVE_MAX_MB = 1000  # the oldest are deleted above this
