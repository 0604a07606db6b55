"""Training on a CPU is cheaper this way, and learns the same."""

import copy

import pytest

pytestmark = pytest.mark.filterwarnings("default")  # torch's own and ESPnet's


def test_convolutions_with_channels_innermost_learn_the_same() -> None:
    import torch

    from training.kernels import quicken

    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, 2), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 5, 3))
    turned = copy.deepcopy(plain)
    quicken(turned)
    audio = torch.randn(2, 1, 40, 30)
    for model in (plain, turned):
        model(audio).square().sum().backward()
    torch.testing.assert_close(turned(audio), plain(audio))
    for ours, theirs in zip(turned.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    with torch.inference_mode():
        assert turned(audio).is_contiguous(memory_format=torch.channels_last)


def test_the_convolution_module_of_a_conformer_learns_the_same() -> None:
    import torch
    from espnet.nets.pytorch_backend.conformer.convolution import ConvolutionModule

    from training.kernels import quicken

    torch.manual_seed(0)
    plain = ConvolutionModule(8, 15, torch.nn.SiLU())
    quick = copy.deepcopy(plain)
    quicken(quick)
    assert "forward" in vars(quick) and "forward" not in vars(plain)
    hidden = torch.randn(2, 3, 20, 8)
    for batch in hidden:
        for model in (plain, quick):
            model(batch).square().sum().backward()
    for ours, theirs in zip(quick.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-4, atol=1e-4
        )  # of a bias before a mean is taken: noise
    torch.testing.assert_close(quick.norm.running_var, plain.norm.running_var)
    torch.testing.assert_close(quick.eval()(hidden[0]), plain.eval()(hidden[0]))


@pytest.mark.parametrize("samples, padded", [(1, 8_000), (8_000, 8_000), (8_001, 16_000)])
def test_batches_are_padded_to_half_seconds(samples: int, padded: int) -> None:
    import torch

    from training.kernels import on_grid

    lengths = torch.tensor([samples])
    ids, batch = on_grid((["a"], {"speech": torch.ones(1, samples), "speech_lengths": lengths}))
    assert ids == ["a"] and batch["speech"].shape == (1, padded) and batch["speech"].sum() == samples
    assert batch["speech_lengths"] is lengths


def test_memory_is_kept_by_whichever_library_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from training import kernels

    for library in (None, "libjemalloc.so.2"):
        monkeypatch.setattr(kernels, "find_library", lambda _, library=library: library)
        environment = kernels.environment()
        assert environment["OMP_NUM_THREADS"] == "1" and environment.get("LD_PRELOAD") == library
        assert ("MALLOC_CONF" in environment) is bool(library) is not ("MALLOC_TOP_PAD_" in environment)
