"""A network in a file, for programs that run the native engine without Python; ``counted/stored.h`` reads it.

Everything is little-endian. A network is the sizes of an image and of its features, images and features, the first
exit's logits and layers, and each stage's layers and logits, all as :mod:`pynq_ee.remainder.numpy` computes them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pynq_ee import remainder
from pynq_ee.network import fabric
from pynq_ee.network.weights import Model
from pynq_ee.remainder import packing


def network(model: Model, images: npt.NDArray[np.uint8]) -> Iterator[bytes]:
    """A network and what it computes of images uint8 (n, 28, 28), piece by piece."""
    features, logits = fabric.first_exit(images, model)
    yield integers(images[0].size, features[0].size)
    yield images.tobytes() + features.tobytes() + fabric.pack_features(features).tobytes()
    yield logits.astype("<i2").tobytes()
    for layer in packing.first_exit(model):
        yield _layer(layer)
    built = packing.stages(model)
    yield integers(len(built))
    hidden = features
    for packed, stage in zip(built, remainder.stages("numpy", model)):
        layers = [*([packed.convolution] if packed.convolution else []), *packed.connections]
        yield integers(packed.convolution is not None, packed.body, len(layers))
        yield b"".join(map(_layer, layers))
        hidden, logits = stage(hidden)
        yield logits.astype("<i2").tobytes()


def integers(*values: int) -> bytes:
    """Whole numbers of 32 bits."""
    return np.array(values, "<i4").tobytes()


def _layer(layer: packing.Layer) -> bytes:
    numbers = integers(*layer[:6], *layer.weight.shape)
    return numbers + layer.weight.tobytes() + layer.bias.astype("<i4").tobytes() + layer.shift.tobytes()
