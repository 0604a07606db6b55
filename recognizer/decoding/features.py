"""ESPnet2's default frontend and its normalisation in numpy: log-mel filterbank features, shape (frames, bins)."""

from dataclasses import dataclass

import numpy as np

from audio import Samples
from recognizer.decoding.networks import Floats

FLOOR = 1e-10  # of a mel bin before the logarithm, as in espnet2.layers.log_mel
SMALLEST_STD = 1e-20  # as in espnet2.layers.utterance_mvn


@dataclass(frozen=True, eq=False)
class Features:
    """What a model hears. Equal to `_extract_feats` and `normalize` of its ESPnetASRModel."""

    window: Floats  # shape (n_fft,)
    filters: Floats  # mel filterbank, shape (n_fft // 2 + 1, bins)
    hop: int  # samples between two frames
    centred: bool  # frames are centred on their time, the ends reflected
    mean: Floats | None = None  # of the training data, shape (bins,); None: of the utterance itself
    std: Floats | None = None
    norm_means: bool = False
    norm_vars: bool = False

    def __call__(self, audio: Samples) -> Floats:
        size = len(self.window)
        if self.centred:
            audio = np.pad(audio, size // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: self.hop]
        spectrum = np.fft.rfft(frames * self.window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        features = np.log(np.maximum(power @ self.filters, np.float32(FLOOR)))
        return self._normalised(features)

    def _normalised(self, features: Floats) -> Floats:
        mean = features.mean(axis=0) if self.mean is None else self.mean
        centred = features - mean
        if self.norm_means:
            features = np.asarray(centred, np.float32)
        if self.norm_vars:
            std = np.sqrt(np.square(centred).mean(axis=0)) if self.std is None else self.std
            features = np.asarray(features / np.maximum(std, SMALLEST_STD), np.float32)
        return features
