"""Fake quantization with power-of-two scales, so that the float network computes the circuit's integers exactly.

A quantizer holds the base-2 logarithm of its scale as a trained parameter, rounded in the forward pass. Rounding has
the straight-through gradient, clipping its true one; together they are those of *Trained Quantization Thresholds*
(Jain, Gural, Wu, Dick, MLSys 2020), which was made for scales that are powers of two.

Every value of the forward pass is an integer times a power of two, and every sum of integers stays below 2**24, so
float32 is exact: the network that is trained is bit for bit the one that is built.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pynq_ee.network import spec
from pynq_ee.network.spec import FabricLayer


class _RoundHalfUp(torch.autograd.Function):
    """Round halves up, as the circuit does (torch rounds them to even); the gradient passes straight through."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return torch.floor(values + 0.5)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


def round_half_up(values: Tensor) -> Tensor:
    """Round with a straight-through gradient."""
    rounded: Tensor = _RoundHalfUp.apply(values)
    return rounded


def fake_quantize(values: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """The nearest multiples of ``scale`` from ``low * scale`` to ``high * scale``."""
    return torch.clamp(round_half_up(values / scale), low, high) * scale


class FabricModule(nn.Module):
    """One integer layer of the first exit in training: exact sum, then (for a convolution) pool, ReLU, 4 bits.

    Parameters
    ----------
    layer
        Shape and ranges.
    """

    def __init__(self, layer: FabricLayer) -> None:
        super().__init__()
        self.layer = layer
        reference = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel)
        self.weight = nn.Parameter(reference.weight.detach().reshape(layer.weight_shape))
        self.bias = nn.Parameter(torch.as_tensor(reference.bias).detach())
        # The logits of one exit share a scale; a channel of a convolution has its own, which is only wiring.
        magnitude = self.weight.detach().abs()
        if layer.kernel > 1:
            spread = magnitude.flatten(1)
            start = spread.mean(1) * 1.4 if layer.weight_max == 1 else spread.amax(1) / layer.weight_max
            self.weight_log2 = nn.Parameter(start.log2())
            self.output_log2 = nn.Parameter(torch.tensor(-3.0))
        else:
            self.weight_log2 = nn.Parameter((magnitude.amax() / 4).log2())

    def forward(self, inputs: Tensor, input_exponent: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and their exponent, from inputs that are integers times ``2**input_exponent``."""
        layer = self.layer
        weight_exponent = self.weight_exponent(input_exponent)
        scale = torch.exp2(weight_exponent)
        weight = fake_quantize(
            self.weight, scale.reshape(-1, *[1] * (self.weight.ndim - 1)), -layer.weight_max, layer.weight_max
        )
        accumulator_scale = scale * torch.exp2(input_exponent)
        bias = round_half_up(self.bias / accumulator_scale) * accumulator_scale
        if layer.kernel == 1:  # logits are not rounded, only saturated
            limits = spec.LOGIT_MIN * accumulator_scale, spec.LOGIT_MAX * accumulator_scale
            return torch.clamp(functional.linear(inputs, weight, bias), *limits), weight_exponent + input_exponent
        sums = functional.max_pool2d(functional.conv2d(inputs, weight, bias, padding=layer.padding), spec.POOL)
        output_exponent = round_half_up(self.output_log2)
        return fake_quantize(sums, torch.exp2(output_exponent), 0, spec.ACTIVATION_MAX), output_exponent

    def weight_exponent(self, input_exponent: Tensor) -> Tensor:
        """Exponents of the weights' scales, at most what keeps the shift to the output a right one."""
        exponent = round_half_up(self.weight_log2)
        if self.layer.kernel == 1:
            return exponent
        return torch.minimum(exponent, (round_half_up(self.output_log2) - input_exponent).detach())

    @torch.no_grad()
    def integers(self, input_exponent: int) -> tuple[Tensor, Tensor, Tensor, int]:
        """Weight, bias, right shift (one a channel) and output exponent of the circuit's layer."""
        layer = self.layer
        exponent = self.weight_exponent(torch.tensor(float(input_exponent)))
        scale = torch.exp2(exponent)
        weight = torch.clamp(
            round_half_up(self.weight / scale.reshape(-1, *[1] * (self.weight.ndim - 1))),
            -layer.weight_max,
            layer.weight_max,
        )
        bias = round_half_up(self.bias / (scale * 2.0**input_exponent))
        if layer.kernel == 1:
            output_exponent = int(exponent) + input_exponent
            shift = torch.zeros(layer.out_channels)
        else:
            output_exponent = int(round_half_up(self.output_log2))
            shift = output_exponent - exponent - input_exponent
        return weight, bias, shift, output_exponent
