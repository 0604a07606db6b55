"""A term of the CTC loss: where only silence has been heard, anything but blank costs."""

from typing import Any

import torch


class BlankBeforeSpeech:
    """Adds -log p(blank) of each frame before the onset to the CTC loss of an ESPnet2 model, while it is trained.

    CTC does not care on which frame a token stands. Left alone, a model may put the first one on its first frame,
    however late the speech begins: its time is wrong then, and what was said has to get there through the silence.
    """

    def __init__(self, model: Any) -> None:
        self._batch: dict[str, torch.Tensor] = {}
        model.register_forward_pre_hook(self._note, with_kwargs=True)
        model.ctc.register_forward_hook(self._add)

    def _note(self, _model: Any, _inputs: Any, batch: dict[str, torch.Tensor]) -> None:
        """`batch` has `speech` (utterances, samples) and, in training, `onset` (utterances, 1) in samples."""
        self._batch = batch

    def _add(self, ctc: Any, inputs: tuple[torch.Tensor, ...], loss: torch.Tensor) -> torch.Tensor:
        if "onset" not in self._batch:
            return loss
        log_probs: torch.Tensor = ctc.log_softmax(inputs[0])  # utterances, frames, tokens
        frames = log_probs.shape[1]
        frame_samples = self._batch["speech"].shape[1] / frames
        heard_to = (torch.arange(frames, device=loss.device) + 2) * frame_samples  # a frame sees into the next
        return loss - log_probs[..., 0][heard_to <= self._batch["onset"]].sum() / len(log_probs)
