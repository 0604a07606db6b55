"""The parts of an ESPnet2 CTC/attention model as plain torch modules, made for one utterance and for export.

The decoder differs from ESPnet's in what it keeps: keys and values of the encoder output are projected once an
utterance and shared by all hypotheses, those of earlier tokens once a token. Stock ESPnet projects both again for
every token of every hypothesis, which is nine tenths of its decoding time.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from recognizer.decoding.package import UnsupportedError

PLAIN, RELATIVE = "MultiHeadedAttention", ("RelPositionMultiHeadedAttention", "LegacyRelPositionMultiHeadedAttention")
MAX_POSITIONS = 2_000  # tokens of one hypothesis; the longest utterance has fewer


class EncoderGraph(nn.Module):
    """Normalised features (1, frames, bins) -> encoder output (T, D), CTC log probabilities (T, V). No padding."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        encoder = model.encoder
        if not hasattr(encoder, "encoders"):
            raise UnsupportedError(f"a {type(encoder).__name__} encoder")
        if getattr(encoder, "interctc_use_conditioning", False):
            raise UnsupportedError("an encoder that is conditioned on its CTC")
        if model.preencoder is not None or model.postencoder is not None:
            raise UnsupportedError("a pre- or post-encoder")
        self.encoder, self.ctc = _with_our_attention(encoder), model.ctc.ctc_lo

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedded, _ = self.encoder.embed(features, None)
        hidden = self.layers(embedded, None)[0]
        return hidden, self.log_probs(hidden)

    def layers(self, embedded: Any, mask: Tensor | None) -> Tensor:
        """What `embed` gives, with mask (B, 1, T) -> encoder output (B, T, D)."""
        for layer in self.encoder.encoders:
            embedded, _ = layer(embedded, mask)
        hidden: Tensor = embedded[0] if isinstance(embedded, tuple) else embedded
        return self.encoder.after_norm(hidden) if hasattr(self.encoder, "after_norm") else hidden

    def log_probs(self, hidden: Tensor) -> Tensor:
        return torch.log_softmax(self.ctc(hidden), dim=-1)


class OwnAttention(nn.Module):
    """ESPnet's attention of an encoder with itself: for one utterance in fewer operations, the same numbers.

    Short utterances take less time to compute than threads to wait for each other.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.attention = attention
        self.joined = _joined(attention.linear_q, attention.linear_k, attention.linear_v)

    def out(self, heard: Tensor) -> Tensor:
        """heard (heads, T, width) -> (1, T, D)"""
        theirs = self.attention
        out: Tensor = theirs.linear_out(heard.transpose(0, 1).reshape(-1, theirs.h * theirs.d_k))
        return out[None]


class PlainAttention(OwnAttention):
    """Without relative positions."""

    def forward(self, x: Tensor, _: Tensor, __: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, D), thrice as ESPnet calls it; mask (B, 1, T) -> (B, T, D)"""
        theirs = self.attention
        if mask is not None:  # several utterances
            several: Tensor = theirs(x, x, x, mask)
            return several
        heads, width = theirs.h, theirs.d_k
        parts = self.joined(x.reshape(-1, heads * width)).split(heads * width, -1)
        query, key, value = (_heads(part, heads, width) for part in parts)
        return self.out(torch.softmax(query @ key.transpose(1, 2) * (1.0 / math.sqrt(width)), dim=-1) @ value)


class RelativeAttention(OwnAttention):
    """With relative positions, old or new."""

    def __init__(self, attention: Any) -> None:
        super().__init__(attention)
        self.ahead = not type(attention).__name__.startswith("Legacy")  # whether positions after a frame have their own

    def forward(self, x: Tensor, _: Tensor, __: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, T, D), thrice as ESPnet calls it; positions (1, T or 2T - 1, D); mask (B, 1, T) -> (B, T, D)"""
        theirs = self.attention
        if mask is not None:  # several utterances
            several: Tensor = theirs(x, x, x, positions, mask)
            return several
        heads, width = theirs.h, theirs.d_k
        whole = self.joined(x.reshape(-1, heads * width))
        query, key, value = (part.view(-1, heads, width) for part in whole.split(heads * width, -1))
        known = _heads(theirs.linear_pos(positions[0]), heads, width).transpose(1, 2)
        scale = 1.0 / math.sqrt(width)
        content = (query + theirs.pos_bias_u).transpose(0, 1) @ key.permute(1, 2, 0) * scale
        distance = (query + theirs.pos_bias_v).transpose(0, 1) @ known * scale
        frames = distance.shape[1]
        shifted = nn.functional.pad(distance, (1, 0)).view(heads, -1, frames)[:, 1:]  # Dai et al. 2019, appendix B
        if self.ahead:
            shifted = shifted.view_as(distance)[..., :frames]
        return self.out(torch.softmax(content + shifted, dim=-1) @ value.transpose(0, 1))


def _with_our_attention(encoder: Any) -> Any:
    """A copy of an encoder, of the same weights: the model stays what it was, to be compared with."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
    ours = copy.deepcopy(encoder, shared)
    for layer in list(ours.modules()):
        for name, part in layer.named_children():
            if type(part).__name__ in RELATIVE and not part.zero_triu:
                setattr(layer, name, RelativeAttention(part))
            elif type(part).__name__ == PLAIN and isinstance(part.q_norm, nn.Identity):
                setattr(layer, name, PlainAttention(part))
    return ours


class BatchGraph(nn.Module):
    """The same encoder for several utterances at once; each gets what it gets alone."""

    def __init__(self, single: EncoderGraph) -> None:
        super().__init__()
        if any(type(module).__name__.startswith("Legacy") for module in single.modules()):
            raise UnsupportedError("positions that depend on the length of a batch")
        self.single = single
        self._mask: Tensor | None = None
        for module in single.encoder.encoders.modules():
            if isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1:
                module.register_forward_pre_hook(self._silence)

    def forward(self, *features: Tensor) -> tuple[Tensor, ...]:
        """Normalised features (frames, bins) of each -> encoder output (T, D) and log probabilities (T, V) of each."""
        embedded = [self.single.encoder.embed(one[None], None)[0] for one in features]
        outputs = [one[0] if isinstance(one, tuple) else one for one in embedded]
        lengths = torch.tensor([output.shape[1] for output in outputs], device=outputs[0].device)
        batch: Any = nn.utils.rnn.pad_sequence([output[0] for output in outputs], batch_first=True)
        mask = (torch.arange(batch.shape[1], device=lengths.device) < lengths[:, None])[:, None]
        longest = embedded[int(lengths.argmax())]
        if isinstance(longest, tuple):
            batch = (batch, *longest[1:])  # its positions are those of all
        self._mask = mask
        hidden = self.single.layers(batch, mask)
        self._mask = None
        parts = [hidden[number, :length] for number, length in enumerate(lengths.tolist())]
        return tuple(tensor for part in parts for tensor in (part, self.single.log_probs(part)))

    def _silence(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        """A convolution over time (B, D, T) finds nothing after the end of an utterance, as it does alone."""
        return None if self._mask is None else (inputs[0] * self._mask,)


class MemoryGraph(nn.Module):
    """Encoder output (T, D) -> keys (heads, dk, T) of each layer of the decoder, then values (heads, T, dk)."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.attentions: Any = nn.ModuleList([layer.src_attn for layer in decoder.decoders])

    def forward(self, hidden: Tensor) -> tuple[Tensor, ...]:
        keys = [_heads(one.linear_k(hidden), one.h, one.d_k).transpose(1, 2) for one in self.attentions]
        values = [_heads(one.linear_v(hidden), one.h, one.d_k) for one in self.attentions]
        return (*keys, *values)


class StepGraph(nn.Module):
    """Log probabilities of the next token after each of N tokens, whatever tree they form.

    Token n sees the cached tokens and the other new ones as `mask` (N, A + N; 0 or -inf-like) allows, and of the memory
    what `heard` (N, T) allows, so that one call serves N hypotheses one token longer as well as whole n-best lists at
    once, of one utterance or of several.
    """

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        layers = decoder.decoders
        embedding, position = decoder.embed[0], decoder.embed[1]
        if type(position).__name__ != "PositionalEncoding" or not decoder.normalize_before:
            raise UnsupportedError("a decoder that embeds or normalises in an unknown way")
        if any(layer.concat_after or layer.sequential_attn is not None for layer in layers):
            raise UnsupportedError("a decoder that concatenates or attends twice")
        self.layers, self.embedding = layers, embedding
        self.scale = math.sqrt(embedding.embedding_dim)
        position.extend_pe(torch.zeros(1, MAX_POSITIONS))
        self.positions: Tensor
        self.register_buffer("positions", position.pe[0, :MAX_POSITIONS].clone())
        self.after_norm, self.output = decoder.after_norm, decoder.output_layer
        own = [layer.self_attn for layer in layers]
        self.heads, self.width = own[0].h, own[0].d_k
        self.joined: Any = nn.ModuleList([_joined(one.linear_q, one.linear_k, one.linear_v) for one in own])

    def forward(self, tokens: Tensor, at: Tensor, mask: Tensor, heard: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """tokens, at: (N,); tensors: memory, then cached keys and values (A, D) of each layer.

        Returns log probabilities (N, V), then new keys and values (N, D) of each layer.
        """
        depth = len(self.layers)
        memory_k, memory_v, keys, values = (tensors[n * depth : (n + 1) * depth] for n in range(4))
        x = self.embedding(tokens) * self.scale + self.positions[at]
        new_keys, new_values = [], []
        for number, layer in enumerate(self.layers):
            query, key, value = self.joined[number](layer.norm1(x)).split(self.heads * self.width, -1)
            new_keys.append(key)
            new_values.append(value)
            seen = self._heads(torch.cat([keys[number], key])).transpose(1, 2)
            said = self._heads(torch.cat([values[number], value]))
            x = x + layer.self_attn.linear_out(self._attend(query, seen, said, mask))
            query = layer.src_attn.linear_q(layer.norm2(x))
            x = x + layer.src_attn.linear_out(self._attend(query, memory_k[number], memory_v[number], heard))
            x = x + layer.feed_forward(layer.norm3(x))
        scores = torch.log_softmax(self.output(self.after_norm(x)), dim=-1)
        return (scores, *new_keys, *new_values)

    def _heads(self, x: Tensor) -> Tensor:
        return _heads(x, self.heads, self.width)

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """query (N, D), keys (heads, dk, M), values (heads, M, dk) -> (N, D)"""
        scores = self._heads(query) @ keys * (1.0 / math.sqrt(self.width))
        heard = torch.softmax(scores + mask, dim=-1) @ values
        return heard.transpose(0, 1).reshape(-1, self.heads * self.width)


def _joined(*linears: Any) -> nn.Linear:
    """One product for several of the same input: its output holds theirs in a row."""
    whole = nn.Linear(linears[0].in_features, sum(one.out_features for one in linears))
    with torch.no_grad():
        whole.weight.copy_(torch.cat([one.weight for one in linears]))
        whole.bias.copy_(torch.cat([one.bias for one in linears]))
    return whole


def _heads(x: Tensor, heads: int, width: int) -> Tensor:
    """(N, heads * width) -> (heads, N, width); the numbers are known, so that an export has not to find them out."""
    return x.view(-1, heads, width).transpose(0, 1)
