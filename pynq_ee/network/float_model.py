"""The network as it was trained: the first exit in integers already, the remainder in floating point.

Training ends here, and files of format 1 held it. :mod:`pynq_ee.network.post_training` makes a
:class:`~pynq_ee.network.weights.Model` of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ModelFileError
from pynq_ee.network import npz, weights
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import FLOAT_FORMAT, LayerWeights, Layout

_TYPES: dict[str, type[np.generic]] = {"weight": np.float32, "bias": np.float32}


class FloatLayer(NamedTuple):
    """A layer of the remainder, batch normalization folded: weight (out, ...) and bias (out,), float32."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A trained network whose remainder is in floating point; fields as of :class:`~pynq_ee.network.weights.Model`.

    ``logit_exponent`` is the first exit's.

    Raises
    ------
    ModelFileError
        A layer of the remainder missing or too many, a wrong type or shape, or a value that is not finite.
    """

    network: str
    spec: Spec
    fabric: Mapping[str, LayerWeights]
    feature_exponent: int
    logit_exponent: int
    remainder: Mapping[str, FloatLayer]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weights.check_fabric(self.spec, self.fabric)
        weights.same_names("remainder layers", self.remainder, weights.remainder_layers(self.network))
        for name, layer in self.remainder.items():
            for part, array in layer._asdict().items():
                weights.check_array(f"{name}.{part}", array, *_remainder_layout(self.network)[f"{name}.{part}"])
                if not np.isfinite(array).all():
                    raise ModelFileError(f"{name}.{part} has a value that is not finite")


def load(path: str | os.PathLike[str]) -> FloatModel | None:
    """Read a model file of format 1; None if it is of a later one. Thresholds are left behind: they go with the floats.

    Raises
    ------
    ModelFileError
        As of :func:`pynq_ee.network.weights.load`.
    """
    found = weights.path_of(path)
    with weights.reading(found), npz.read_archive(found) as archive:
        header = weights.read_header(archive)
        if header["format"] != FLOAT_FORMAT:
            return None
        network, spec = weights.network_of(header)
        layout: Layout = {**weights.fabric_layout(spec), **_remainder_layout(network)}
        arrays = weights.read_arrays(archive, network, layout)
        model = FloatModel(
            network,
            spec,
            {layer.name: weights.layer_of(arrays, layer.name) for layer in spec.layers},
            header["feature_exponent"],
            header["logit_exponent"],
            {
                name: FloatLayer(*(arrays[f"{name}.{part}"] for part in _TYPES))
                for name in weights.remainder_layers(network)
            },
            {key: value for key, value in dict(header["metadata"]).items() if key != "calibration"},
        )
        values = [network, asdict(spec), model.feature_exponent, model.logit_exponent]
        digest = weights.content_digest(values, arrays, layout)
        weights.check_digests(header, spec, model.fabric, digest)
        return model


def _remainder_layout(network: str) -> Layout:
    layout: Layout = {}
    for name in weights.remainder_layers(network):
        layout.update(weights.layer_layout(name, _spec.REMAINDER_LAYERS[name].weight_shape, _TYPES))
    return layout
