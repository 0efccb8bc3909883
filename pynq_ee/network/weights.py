"""The trained model file: one ``.npz`` of plain arrays, never unpickled, checked whole before it is used.

========================  ==========  =====================================================================
member                    type        content
========================  ==========  =====================================================================
``header``                str         JSON: format, network, spec, exponents, digests, and how the model was made
``thresholds``            float64     (exits - 1,), nats; the calibrated default
``<layer>.weight``        int8        of trunk, branch, classifier: shape of :class:`~pynq_ee.network.spec.FabricLayer`
``<layer>.bias``          int32       (out,), in units of the accumulator
``<layer>.shift``         uint8       (out,), right shift from the accumulator to the output
``<layer>.weight``        float32     of the remainder's layers: shape of :class:`~pynq_ee.network.spec.RemainderLayer`
``<layer>.bias``          float32     (out,)
========================  ==========  =====================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError, ModelFileError
from pynq_ee.files import write_atomically
from pynq_ee.network import npz
from pynq_ee.network import spec as _spec
from pynq_ee.network.quantize import SHIFT_MAX
from pynq_ee.network.spec import FabricLayer, Spec

FORMAT = 1

#: Integers up to here are exact in float32, so the NumPy model may use the BLAS on integers below it.
ACCUMULATOR_LIMIT = 1 << 24

#: Characters of the header at most: what is read before anything is known about a file.
HEADER_LIMIT = 1 << 18

#: Parts of a layer's weights and their types.
_FABRIC_TYPES: dict[str, type[np.generic]] = {"weight": np.int8, "bias": np.int32, "shift": np.uint8}
_REMAINDER_TYPES: dict[str, type[np.generic]] = {"weight": np.float32, "bias": np.float32}

#: The shipped model that is used unless another is asked for.
DEFAULT = _spec.DEFAULT_NETWORK

#: Members of a file that a message names.
_NAMED = 10

_MODELS = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Integer weights of one layer of the first exit."""

    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    shift: npt.NDArray[np.uint8]

    def accumulator_range(self, input_max: int) -> tuple[int, int]:
        """Smallest and largest accumulator over all inputs in 0 to ``input_max``, both reached."""
        flat = self.weight.reshape(len(self.weight), -1).astype(np.int64)
        low = (np.minimum(flat, 0).sum(1) * input_max + self.bias).min()
        high = (np.maximum(flat, 0).sum(1) * input_max + self.bias).max()
        return int(low), int(high)


@dataclass(frozen=True, eq=False)
class RemainderWeights:
    """Floating-point weights of one layer of the remainder."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network: the integers of the first exit, the floats of the remainder, the thresholds.

    Parameters
    ----------
    network
        A name in :data:`pynq_ee.network.spec.NETWORKS`.
    spec
        The fabric's numbers that the weights were trained for.
    fabric
        Weights of ``trunk``, ``branch`` and ``classifier``.
    feature_exponent, logit_exponent
        A feature or logit ``i`` of the fabric stands for the real number ``i * 2**exponent``.
    remainder
        Weights of the layers that the network's stages name.
    thresholds
        Entropies in nats, one for each exit but the last.
    metadata
        How the model was made: command, seed, figures. Free-form JSON, no part of the identity.

    Raises
    ------
    ModelFileError
        A layer missing or too many, a wrong shape, type or range; the message names it.
    """

    network: str
    spec: Spec
    fabric: Mapping[str, LayerWeights]
    feature_exponent: int
    logit_exponent: int
    remainder: Mapping[str, RemainderWeights]
    thresholds: tuple[float, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network not in _spec.NETWORKS:
            raise ModelFileError(f"network is {self.network!r}; known are {', '.join(_spec.NETWORKS)}")
        _same_names("fabric layers", self.fabric, [layer.name for layer in self.spec.layers])
        _same_names("remainder layers", self.remainder, remainder_layers(self.network))
        arrays = _arrays(self.fabric) | _arrays(self.remainder)
        for name, expected in _layout(self.network, self.spec).items():
            _check_array(name, arrays[name], *expected)
            if not np.isfinite(arrays[name]).all():
                raise ModelFileError(f"{name} has a value that is not finite")
        for layer in self.spec.layers:
            _check_ranges(layer, self.fabric[layer.name])
        for what, exponent in (("feature", self.feature_exponent), ("logit", self.logit_exponent)):
            if not (isinstance(exponent, int) and -32 <= exponent <= 32):
                raise ModelFileError(f"{what}_exponent is {exponent!r}; it must be a whole number, -32 to 32")
        if len(self.thresholds) != self.exits - 1:
            raise ModelFileError(f"{len(self.thresholds)} thresholds for {self.exits} exits; all but the last have one")
        if not all(threshold >= 0 for threshold in self.thresholds):
            raise ModelFileError(f"thresholds are {self.thresholds}; each must be 0 nats or more")

    @property
    def exits(self) -> int:
        """Number of exits, the first one in the fabric included."""
        return _spec.network_exits(self.network)

    @cached_property
    def build_id(self) -> int:
        """32-bit digest of the spec and of the fabric's weights: what a bitstream of this model carries."""
        digest = hashlib.sha256(json.dumps(self.spec.canonical(), sort_keys=True).encode())
        for layer in self.spec.layers:
            weights = self.fabric[layer.name]
            for array in (weights.weight.astype("i1"), weights.bias.astype("<i4"), weights.shift.astype("u1")):
                digest.update(np.ascontiguousarray(array).tobytes())
        return int.from_bytes(digest.digest()[:4], "big")

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of all that a prediction depends on: what ``build_id`` covers, and the software.

        Thresholds and exponents are in it, the metadata is not.
        """
        names = [self.network, asdict(self.spec), self.feature_exponent, self.logit_exponent]
        digest = hashlib.sha256(json.dumps(names, sort_keys=True).encode())
        digest.update(np.array(self.thresholds, "<f8").tobytes())
        arrays = _arrays(self.fabric) | _arrays(self.remainder)
        for name, (dtype, shape) in _layout(self.network, self.spec).items():
            stored = np.dtype(dtype).newbyteorder("<")
            digest.update(f"{name} {stored.str} {shape}".encode())
            digest.update(np.ascontiguousarray(arrays[name], stored).tobytes())
        return digest.hexdigest()

    def with_thresholds(self, thresholds: tuple[float, ...], **metadata: Any) -> Model:
        """Return the same model with other thresholds, and with ``metadata`` added to its own."""
        return replace(self, thresholds=tuple(map(float, thresholds)), metadata={**self.metadata, **metadata})


def remainder_layers(network: str) -> list[str]:
    """Names of the remainder's layers that a network uses, in the order in which they run."""
    return [name for stage in _spec.NETWORKS[network] for name in stage.layers]


def shipped_models() -> list[str]:
    """Names of the trained models that come with the package."""
    return sorted(path.stem for path in _MODELS.glob("*.npz"))


def load(model: str | os.PathLike[str] = DEFAULT) -> Model:
    """Read a model file.

    Parameters
    ----------
    model
        The name of a shipped model (``lenet5-2exit``, ``lenet5-3exit``), or a path to a ``.npz``.

    Raises
    ------
    ModelFileError
        No such file, or one that is damaged, of another format, or not a model. Nothing is unpickled, and no array
        is allocated before its size is checked.
    InputError
        Neither a name nor a path.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise InputError(f"a model is named by its name or the path of its file, not by {type(model).__name__}")
    path = Path(model)
    if not path.suffix and os.sep not in str(model):
        if str(model) not in shipped_models():
            raise ModelFileError(
                f"no shipped model {str(model)!r}; there are {', '.join(shipped_models()) or 'none'}. "
                "A model of your own is named by the path of its .npz file"
            )
        path = _MODELS / f"{model}.npz"
    try:
        return _read(path)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise ModelFileError(f"no model file {path}; `pynq-ee train` and `pynq-ee export` make one") from error
    except Exception as error:  # zipfile, zlib, json and NumPy each raise errors of their own on a damaged file
        raise ModelFileError(
            f"{path} is damaged or no model file ({type(error).__name__}: {error}); export it again"
        ) from error


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model file: to a temporary name first, then renamed, so that a reader never sees half of one.

    The same model gives the same bytes, whatever the versions of Python and NumPy.

    Raises
    ------
    ModelFileError
        Metadata too long to be read again.
    """
    header = json.dumps(
        {
            "format": FORMAT,
            "network": model.network,
            "spec": asdict(model.spec),
            "feature_exponent": model.feature_exponent,
            "logit_exponent": model.logit_exponent,
            "build_id": f"{model.build_id:08x}",
            "digest": model.digest,
            "metadata": dict(model.metadata),
        }
    )
    if len(header) > HEADER_LIMIT:
        raise ModelFileError(f"the header has {len(header)} characters; at most {HEADER_LIMIT}: shorten the metadata")
    arrays = {
        "header": np.array(header),
        "thresholds": np.array(model.thresholds, np.float64),
        **_arrays(model.fabric),
        **_arrays(model.remainder),
    }
    return write_atomically(path, npz.pack(arrays))


def _read(path: Path) -> Model:
    with npz.read_archive(path) as archive:
        header = json.loads(_read_header(archive))
        if header["format"] != FORMAT:
            raise ModelFileError(f"format is {header['format']}; this version reads {FORMAT}. Export it again")
        network, spec = header["network"], Spec(**header["spec"])
        if network not in _spec.NETWORKS:
            raise ModelFileError(f"network is {network!r}; known are {', '.join(_spec.NETWORKS)}")
        layout = {"thresholds": (np.float64, (_spec.network_exits(network) - 1,)), **_layout(network, spec)}
        _same_names("members", npz.member_names(archive), ["header", *layout])
        arrays = {name: npz.read_array(archive, name, *expected) for name, expected in layout.items()}
    model = Model(
        network,
        spec,
        {
            layer.name: LayerWeights(**{part: arrays[f"{layer.name}.{part}"] for part in _FABRIC_TYPES})
            for layer in spec.layers
        },
        header["feature_exponent"],
        header["logit_exponent"],
        {
            name: RemainderWeights(**{part: arrays[f"{name}.{part}"] for part in _REMAINDER_TYPES})
            for name in remainder_layers(network)
        },
        tuple(arrays["thresholds"].tolist()),
        dict(header["metadata"]),
    )
    if f"{model.build_id:08x}" != header["build_id"]:
        raise ModelFileError(f"its header says build_id {header['build_id']}, its weights give {model.build_id:08x}")
    if header.get("digest", model.digest) != model.digest:  # files of earlier versions have none
        raise ModelFileError(
            f"its header says digest {header['digest']}, its content gives {model.digest}: it was changed after it was "
            "written. Export it again"
        )
    return model


def _read_header(archive: zipfile.ZipFile) -> str:
    if "header" not in npz.member_names(archive):
        raise ModelFileError("it has no header; export it again")
    dtype, shape = npz.describe(archive, "header")
    if dtype.kind != "U" or shape != () or dtype.itemsize > 4 * HEADER_LIMIT:
        raise ModelFileError(f"the header is {dtype} {shape}; it must be text of at most {HEADER_LIMIT} characters")
    return str(npz.read_array(archive, "header", dtype, shape))


def _layout(network: str, spec: Spec) -> dict[str, tuple[npt.DTypeLike, tuple[int, ...]]]:
    """Type and shape of the arrays of a network's layers."""
    shapes: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {}
    for layer in spec.layers:
        for part, dtype in _FABRIC_TYPES.items():
            shapes[f"{layer.name}.{part}"] = (dtype, layer.weight_shape if part == "weight" else (layer.out_channels,))
    for name in remainder_layers(network):
        weight_shape = _spec.REMAINDER_LAYERS[name].weight_shape
        for part, dtype in _REMAINDER_TYPES.items():
            shapes[f"{name}.{part}"] = (dtype, weight_shape if part == "weight" else weight_shape[:1])
    return shapes


def _arrays(layers: Mapping[str, LayerWeights] | Mapping[str, RemainderWeights]) -> dict[str, Any]:
    """The arrays of layers by the names that they have in a model file."""
    return {f"{name}.{part}": array for name, layer in layers.items() for part, array in vars(layer).items()}


def _some(names: list[str]) -> str:
    """Names for a message, which a file must not make as long as it likes."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{names[:_NAMED]}{more}" if names else "none"


def _same_names(what: str, found: Any, expected: list[str]) -> None:
    missing, surplus = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or surplus:
        raise ModelFileError(f"{what}: missing {_some(missing)}, not expected {_some(surplus)}")


def _check_array(name: str, array: Any, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray):
        raise ModelFileError(f"{name} is {type(array).__name__}; it must be an array, {np.dtype(dtype)} {shape}")
    npz.check_description(name, array.dtype, array.shape, dtype, shape)


def _check_ranges(layer: FabricLayer, weights: LayerWeights) -> None:
    if np.abs(weights.weight.astype(int)).max() > layer.weight_max:
        raise ModelFileError(f"{layer.name} has a weight outside {-layer.weight_max} to {layer.weight_max}")
    if weights.shift.max() > SHIFT_MAX:
        raise ModelFileError(f"{layer.name} has a shift of {weights.shift.max()}; at most {SHIFT_MAX} is allowed")
    low, high = weights.accumulator_range(layer.input_max)
    if max(-low, high) >= ACCUMULATOR_LIMIT:
        raise ModelFileError(f"{layer.name} accumulates {low} to {high}; it must stay below {ACCUMULATOR_LIMIT}")
    if layer.kernel == 1 and len(set(weights.shift.tolist())) > 1:
        raise ModelFileError(f"{layer.name} has several shifts; the logits of one exit share one scale")
