"""The names of the programs that came with arXiv 2403.09789, so that those move over by changing the import.

`from audiosockets.paper import RecorderSocket, BaseProcessorSocket`. Their server is this service; nothing is pickled.
The stream is `stream` of the configuration file, or `live`; its `token` is shared by both. A file without one makes
an open stream, as it was there: anybody who reaches the server may listen.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiosockets.audio import Source
from audiosockets.config import Config
from audiosockets.processor import Processor
from audiosockets.recorder import Recorder
from audiosockets.wire import Block, Stream

log = logging.getLogger("audiosockets.paper")


class RecorderSocket(Recorder):
    """`RecorderSocket("server_info.json").start()`"""

    def __init__(self, info: Config | Path | str | None = None, source: Source | None = None, **changes: Any) -> None:
        config = Config.of(info, **changes)
        if not (config.token or config.record_token):
            log.warning("no token in the configuration: anybody who reaches the server may listen to %s", config.stream)
            config = replace(config, open=True)
        super().__init__(config, source=source)

    def start(self) -> None:
        self.run()


class BaseProcessorSocket(Processor):
    """Override `process_data`; `data` holds `data`, shape (frames, channels), `fs`, `ts`, and `node`."""

    def __init__(self, name: str = "", info: Config | Path | str | None = None, **changes: Any) -> None:
        super().__init__(replace(Config.of(info), name=name), **changes)
        self.name = name

    def start(self) -> None:
        self.run()

    def setup(self, stream: Stream) -> None:
        self._began = datetime.now() - timedelta(seconds=stream.seconds(stream.position))

    def process(self, block: Block) -> Any:
        data = {
            "node": "recorder",
            "data": block.samples,
            "fs": block.format.sample_rate,
            "ts": self._began + timedelta(seconds=block.start_s),
        }
        return self.process_data(data)

    def process_data(self, data: dict[str, Any]) -> Any:
        print(data)


class LogMelSpectrogram:
    """Natural logarithm of the power in mel bands; `(audio) -> shape (n_mels, frames)`."""

    def __init__(
        self, fs: float, n_mels: int = 128, win_dur: float = 0.025, hop_dur: float = 0.01, eps: float = 1e-8
    ) -> None:
        self._window, self._hop, self._eps = round(fs * win_dur), round(fs * hop_dur), eps
        mel = np.linspace(0, 2595 * np.log10(1 + fs / 2 / 700), n_mels + 2)
        edges = 700 * (10 ** (mel / 2595) - 1)[:, None]  # Hz, shape (n_mels + 2, 1)
        bins = np.fft.rfftfreq(self._window, 1 / fs)
        rising, falling = (
            (bins - edges[:-2]) / np.diff(edges[:-1], axis=0),
            (edges[2:] - bins) / np.diff(edges[1:], axis=0),
        )
        self._bands = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        padded = np.pad(np.squeeze(x), self._window // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window)[:: self._hop]
        power = np.abs(np.fft.rfft(frames * np.hanning(self._window))) ** 2
        return np.asarray(np.log(self._bands @ power.T + self._eps))
