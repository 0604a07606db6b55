"""Processors to use as they are, or to begin one's own from: `audiosockets run level --stream lecture`."""

BUNDLED = {
    "level": "audiosockets.processors.level:Level",
    "keyword": "audiosockets.processors.keyword:Keyword",
    "save": "audiosockets.processors.save:Save",
    "relay": "audiosockets.processors.relay:Relay",
    "spectrogram": "audiosockets.processors.spectrogram:Spectrogram",
}
