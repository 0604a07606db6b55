"""What keeps a training step on a CPU cheap: layouts, shapes and memory. What each brings is in decision 13."""

from ctypes.util import find_library
from functools import partial
from typing import Any

import torch
from torch.nn import functional

GRID_SAMPLES = 8_000  # batches are padded to half seconds: the kernels of a CPU are compiled once for each shape
KERNELS = 1_200  # to be kept, of every length, batch size and layer; more of them fill the memory, see the decision
GLIBC = {  # keeps what a step frees: new pages are a tenth of a step
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    "MALLOC_TOP_PAD_": "200000000",
}
JEMALLOC = {"MALLOC_CONF": "metadata_thp:auto,dirty_decay_ms:20000,muzzy_decay_ms:20000"}  # and finds it sooner


def environment() -> dict[str, str]:
    """Of a training process."""
    common = {"OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": str(KERNELS)}
    library = find_library("jemalloc")
    return common | (JEMALLOC | {"LD_PRELOAD": library} if library else GLIBC)


def autocast(device: str = "cpu") -> torch.autocast:
    """Of a forward pass: in bfloat16, on a CPU where it has units for that; without them that is ten times slower."""
    fast = device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device, torch.bfloat16, enabled=fast)


def on_grid(collated: tuple[list[str], dict[str, torch.Tensor]]) -> tuple[list[str], dict[str, torch.Tensor]]:
    """A batch with its audio padded to the grid; lengths stay."""
    ids, batch = collated
    missing = -batch["speech"].shape[1] % GRID_SAMPLES
    return ids, batch | {"speech": functional.pad(batch["speech"], (0, missing))}


def quicken(model: torch.nn.Module) -> None:
    """Lays out the convolutions of an ESPnet2 model with the channels innermost. It computes what it did."""
    from espnet.nets.pytorch_backend.conformer.convolution import ConvolutionModule
    from espnet.nets.pytorch_backend.transformer.attention import MultiHeadedAttention

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            channels_last(module)
        elif isinstance(module, ConvolutionModule):
            module.forward = partial(convolved, module)
        elif type(module) is MultiHeadedAttention:
            vars(module)["use_sdpa"] = True  # in one kernel, which keeps no table of all pairs of frames


def channels_last(convolution: torch.nn.Module) -> None:
    """Forwards and backwards: half the time of a strided convolution in bfloat16."""

    def turned(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.contiguous(memory_format=torch.channels_last)

    def hook(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(turned)  # type: ignore[no-untyped-call]

    convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    convolution.register_forward_pre_hook(lambda _, inputs: (turned(inputs[0]),))
    convolution.register_forward_hook(hook)


def convolved(module: Any, x: torch.Tensor) -> torch.Tensor:
    """The convolution module of a Conformer (Gulati et al. 2020, arXiv 2005.08100), shape (batch, time, channels)."""
    deep, norm = module.depthwise_conv, module.norm
    x = functional.glu(_pointwise(module.pointwise_conv1, x))
    x = x.transpose(1, 2).unsqueeze(2)  # channels innermost already
    x = functional.conv2d(x, deep.weight.unsqueeze(2), deep.bias, padding=(0, *deep.padding), groups=deep.groups)
    statistics = norm.running_mean, norm.running_var
    x = functional.batch_norm(x, *statistics, norm.weight, norm.bias, norm.training, norm.momentum, norm.eps)
    return _pointwise(module.pointwise_conv2, module.activation(x.squeeze(2).transpose(1, 2)))


def _pointwise(convolution: torch.nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, convolution.weight.squeeze(2), convolution.bias)
