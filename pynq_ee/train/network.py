"""The network in training: the first exit quantized, the remainder in float with foldable batch normalization."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import POOL, REMAINDER_LAYERS, Spec
from pynq_ee.train.quantizers import FabricModule

#: A pixel p stands for p / 256: a power of two, so that the circuit takes pixels as they are.
PIXEL_EXPONENT = -_spec.PIXEL_BITS


class FirstExit(nn.Module):
    """Trunk, branch and classifier: what becomes the circuit."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.trunk = FabricModule(spec.trunk)
        self.branch = FabricModule(spec.branch)
        self.classifier = FabricModule(spec.classifier)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 6, 14, 14) and logits (n, 10), both in their real scale, of pixels (n, 1, 28, 28), 0 to 255."""
        exponent = torch.tensor(float(PIXEL_EXPONENT))
        features, exponent = self.trunk(pixels * 2.0**PIXEL_EXPONENT, exponent)
        pooled, exponent = self.branch(features, exponent)
        inputs = pooled.permute(0, 2, 3, 1).flatten(1)  # position-major, as the circuit streams them
        logits, _ = self.classifier(inputs, exponent)
        return features, logits


class RemainderModule(nn.Module):
    """One layer of the remainder, with the batch normalization that export folds into it.

    Hidden fully connected layers drop some of their inputs in training.
    """

    def __init__(self, name: str, dropout: float) -> None:
        super().__init__()
        shape = REMAINDER_LAYERS[name]
        normalized = shape.relu
        self.before = nn.Dropout(0.0 if shape.kernel or not shape.relu else dropout)
        if shape.kernel:
            self.linear: nn.Module = nn.Conv2d(shape.inputs, shape.outputs, shape.kernel)
            self.norm: nn.Module = nn.BatchNorm2d(shape.outputs)
            self.after = nn.Sequential(nn.ReLU(), nn.MaxPool2d(POOL), nn.Flatten())
        else:
            self.linear = nn.Linear(shape.inputs, shape.outputs)
            self.norm = nn.BatchNorm1d(shape.outputs) if normalized else nn.Identity()
            self.after = nn.Sequential(nn.ReLU()) if normalized else nn.Sequential()

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.after(self.norm(self.linear(self.before(inputs))))
        return outputs

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias with the batch normalization in them."""
        weight, bias = self.linear.weight, self.linear.bias
        assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
        if isinstance(self.norm, nn.Identity):
            return weight, bias
        norm = self.norm
        assert isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        folded_weight = weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
        return folded_weight, (bias - norm.running_mean) * gain + norm.bias


class EarlyExitNetwork(nn.Module):
    """A network of :data:`pynq_ee.network.spec.NETWORKS` in training.

    Parameters
    ----------
    network
        Its name.
    spec
        The fabric's numbers.
    dropout
        Share of their inputs that the remainder's hidden fully connected layers lose in training.
    """

    def __init__(self, network: str, spec: Spec, dropout: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.first_exit = FirstExit(spec)
        self.remainder = nn.ModuleDict(
            {name: RemainderModule(name, dropout) for stage in _spec.NETWORKS[network] for name in stage.layers}
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Logits (n, 10) of every exit, in order, of pixels (n, 1, 28, 28), 0 to 255."""
        hidden, logits = self.first_exit(pixels)
        outputs = [logits]
        for stage in _spec.NETWORKS[self.network]:
            for name in stage.body:
                hidden = self.remainder[name](hidden)
            logits = hidden
            for name in stage.head:
                logits = self.remainder[name](logits)
            outputs.append(logits)
        return outputs
