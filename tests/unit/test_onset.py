"""What it costs to say something before the speech begins."""

import pytest
import torch
from espnet2.asr.ctc import CTC

from audio import SAMPLE_RATE
from training.onset import BlankBeforeSpeech

pytestmark = pytest.mark.filterwarnings("default")  # torch's own


class Model(torch.nn.Module):
    """Twenty frames of a second of speech, of which each says the same."""

    def __init__(self) -> None:
        super().__init__()
        self.ctc = CTC(4, 3)

    def forward(self, speech: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
        lengths, text = torch.tensor([20, 20]), torch.ones(2, 1, dtype=torch.long)
        loss: torch.Tensor = self.ctc(torch.ones(len(speech), 20, 3), lengths, text, torch.tensor([1, 1]))
        return loss

    def blank(self) -> float:
        """Log probability."""
        return float(self.ctc.log_softmax(torch.ones(1, 1, 3))[0, 0, 0].detach())


@pytest.mark.parametrize("onset, quiet_frames", [(0, 0), (1_599, 0), (1_600, 1), (4_000, 4), (16_000, 19)])
def test_what_stands_before_the_speech_costs(onset: int, quiet_frames: int) -> None:
    model = Model()
    BlankBeforeSpeech(model)
    batch = {"speech": torch.zeros(2, SAMPLE_RATE)}
    added = model(**batch, onset=torch.tensor([[onset], [0]])) - model(**batch)
    assert added.item() == pytest.approx(-model.blank() * quiet_frames / 2, abs=1e-4)


def learned(**onset: torch.Tensor) -> float:
    """The log probability of blank after a few steps."""
    torch.manual_seed(0)
    model = Model()
    BlankBeforeSpeech(model)
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(4):
        optimiser.zero_grad()
        model(speech=torch.zeros(2, SAMPLE_RATE), **onset).backward()
        optimiser.step()
    return model.blank()


def test_a_model_learns_to_wait() -> None:
    assert learned(onset=torch.full((2, 1), SAMPLE_RATE)) > learned() + 0.05
