"""The trained model file: one ``.npz`` of plain arrays, never unpickled, checked whole before it is used.

========================  ==========  =====================================================================
member                    type        content
========================  ==========  =====================================================================
``header``                str         JSON: format, network, spec, exponents, digests, and how the model was made
``thresholds``            float64     (exits - 1,), nats; the calibrated default
``<layer>.weight``        int8        shape of :class:`~pynq_ee.network.spec.FabricLayer` (trunk, branch, classifier) or
                                      :class:`~pynq_ee.network.spec.RemainderLayer` (the others)
``<layer>.bias``          int32       (out,), in units of the accumulator
``<layer>.shift``         uint8       (out,), right shift from the accumulator to the output
========================  ==========  =====================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from pynq_ee.network.spec import REMAINDER_WEIGHT_MAX, RemainderLayer, Spec

FORMAT = 2
#: The format before the remainder was in integers: float32 weights and biases of it, and one ``logit_exponent``.
FLOAT_FORMAT = 1

#: Integers up to here are exact in float32, so the NumPy model may use the BLAS on integers below it.
ACCUMULATOR_LIMIT = 1 << 24

#: A convolution of the remainder adds up less than this from its smallest to its largest sum of products, so that an
#: engine may add modulo 2**16, from where it likes.
CONVOLUTION_SPAN = 1 << 16

#: Characters of the header at most: what is read before anything is known about a file.
HEADER_LIMIT = 1 << 18

#: Parts of a layer's weights and their types.
TYPES: dict[str, type[np.generic]] = {"weight": np.int8, "bias": np.int32, "shift": np.uint8}

#: The shipped model that is used unless another is asked for.
DEFAULT = _spec.DEFAULT_NETWORK

#: Members of a file that a message names.
_NAMED = 10

Layout = dict[str, tuple[npt.DTypeLike, tuple[int, ...]]]

_MODELS = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Integer weights of one layer."""

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
class Model:
    """A trained network: the integers of the first exit and of the remainder, and the thresholds.

    Parameters
    ----------
    network
        A name in :data:`pynq_ee.network.spec.NETWORKS`.
    spec
        The fabric's numbers that the weights were trained for.
    fabric
        Weights of ``trunk``, ``branch`` and ``classifier``.
    feature_exponent
        A feature ``i`` of the fabric stands for the real number ``i * 2**feature_exponent``.
    logit_exponents
        Of each exit: its logit ``i`` stands for ``i * 2**exponent``.
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
    logit_exponents: tuple[int, ...]
    remainder: Mapping[str, LayerWeights]
    thresholds: tuple[float, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network not in _spec.NETWORKS:
            raise ModelFileError(f"network is {self.network!r}; known are {', '.join(_spec.NETWORKS)}")
        check_fabric(self.spec, self.fabric)
        same_names("remainder layers", self.remainder, remainder_layers(self.network))
        _check_arrays(_remainder_layout(self.network), self.remainder)
        for name, weights in self.remainder.items():
            _check_remainder(_spec.REMAINDER_LAYERS[name], weights)
        if not isinstance(self.logit_exponents, tuple) or len(self.logit_exponents) != self.exits:
            raise ModelFileError(f"logit_exponents are {self.logit_exponents!r}; there must be one for each exit")
        for exponent in (self.feature_exponent, *self.logit_exponents):
            if not (type(exponent) is int and -32 <= exponent <= 32):
                raise ModelFileError(f"an exponent is {exponent!r}; it must be a whole number, -32 to 32")
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
        """32-bit digest of the spec and of the fabric's weights: what a bitstream of this model carries.

        The version of the interface is in it: a circuit of another version is another circuit.
        """
        return build_id(self.spec, self.fabric)

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of all that a prediction depends on: what ``build_id`` covers, and the software.

        Thresholds and exponents are in it, the metadata is not.
        """
        names = [self.network, asdict(self.spec), self.feature_exponent, self.logit_exponents]
        arrays = {
            "thresholds": np.array(self.thresholds, np.float64),
            **_arrays(self.fabric),
            **_arrays(self.remainder),
        }
        return content_digest(names, arrays, _layout(self.network, self.spec))

    def with_thresholds(self, thresholds: tuple[float, ...], **metadata: Any) -> Model:
        """Return the same model with other thresholds, and with ``metadata`` added to its own."""
        return replace(self, thresholds=tuple(map(float, thresholds)), metadata={**self.metadata, **metadata})


def build_id(spec: Spec, fabric: Mapping[str, LayerWeights], interface_version: int | None = None) -> int:
    """:attr:`Model.build_id`, of the fabric alone; by an earlier version of the interface, if one is given."""
    digest = hashlib.sha256(json.dumps(spec.canonical(interface_version), sort_keys=True).encode())
    for layer in spec.layers:
        weights = fabric[layer.name]
        for array in (weights.weight.astype("i1"), weights.bias.astype("<i4"), weights.shift.astype("u1")):
            digest.update(np.ascontiguousarray(array).tobytes())
    return int.from_bytes(digest.digest()[:4], "big")


def content_digest(names: list[Any], arrays: Mapping[str, npt.NDArray], layout: Layout) -> str:
    """SHA-256, hexadecimal, of plain values, of the thresholds, and of the arrays of a layout."""
    digest = hashlib.sha256(json.dumps(names, sort_keys=True).encode())
    digest.update(arrays["thresholds"].astype("<f8").tobytes())
    for name, (dtype, shape) in layout.items():
        stored = np.dtype(dtype).newbyteorder("<")
        digest.update(f"{name} {stored.str} {shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name], stored).tobytes())
    return digest.hexdigest()


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
    path = path_of(model)
    with reading(path):
        return _read(path)


def path_of(model: str | os.PathLike[str]) -> Path:
    """Path of a model file that is named by its path or a shipped model's name. It need not exist.

    Raises
    ------
    InputError
        Neither text nor a path.
    ModelFileError
        A name without a suffix or a folder that no shipped model has.
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
    return path


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is found wrong with a model file while it is read is one error, which names the file."""
    try:
        yield
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
            "logit_exponents": model.logit_exponents,
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
        header = read_header(archive)
        if header["format"] == FLOAT_FORMAT:
            raise ModelFileError(
                f"format is {FLOAT_FORMAT}, whose remainder is in floating point; this version computes in integers. "
                f"Convert it: pynq-ee export {path} --output NEW.npz"
            )
        if header["format"] != FORMAT:
            raise ModelFileError(f"format is {header['format']}; this version reads {FORMAT}. Export it again")
        network, spec = network_of(header)
        arrays = read_arrays(archive, network, _layout(network, spec))
    model = Model(
        network,
        spec,
        {layer.name: layer_of(arrays, layer.name) for layer in spec.layers},
        header["feature_exponent"],
        tuple(header["logit_exponents"]),
        {name: layer_of(arrays, name) for name in remainder_layers(network)},
        tuple(arrays["thresholds"].tolist()),
        dict(header["metadata"]),
    )
    check_digests(header, model.spec, model.fabric, model.digest)
    return model


def read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The header of a model file of any format."""
    if "header" not in npz.member_names(archive):
        raise ModelFileError("it has no header; export it again")
    dtype, shape = npz.describe(archive, "header")
    if dtype.kind != "U" or shape != () or dtype.itemsize > 4 * HEADER_LIMIT:
        raise ModelFileError(f"the header is {dtype} {shape}; it must be text of at most {HEADER_LIMIT} characters")
    header: dict[str, Any] = json.loads(str(npz.read_array(archive, "header", dtype, shape)))
    return header


def network_of(header: Mapping[str, Any]) -> tuple[str, Spec]:
    """Network and spec that a header names."""
    network, spec = header["network"], Spec(**header["spec"])
    if network not in _spec.NETWORKS:
        raise ModelFileError(f"network is {network!r}; known are {', '.join(_spec.NETWORKS)}")
    return network, spec


def read_arrays(archive: zipfile.ZipFile, network: str, layout: Layout) -> dict[str, npt.NDArray]:
    """Thresholds and the arrays of a layout, and nothing else, out of a model file."""
    members: Layout = {"thresholds": (np.float64, (_spec.network_exits(network) - 1,)), **layout}
    same_names("members", npz.member_names(archive), ["header", *members])
    return {name: npz.read_array(archive, name, *expected) for name, expected in members.items()}


def layer_of(arrays: Mapping[str, npt.NDArray], name: str) -> LayerWeights:
    """One integer layer out of a model file's arrays."""
    return LayerWeights(*(arrays[f"{name}.{part}"] for part in TYPES))


def check_digests(header: Mapping[str, Any], spec: Spec, fabric: Mapping[str, LayerWeights], digest: str) -> None:
    """Refuse a file whose content is not the one that its header was written for.

    A model outlives the interface of the circuits that are built of it: the ``build_id`` may be an earlier version's.
    """
    known = [f"{build_id(spec, fabric, version):08x}" for version in range(1, _spec.INTERFACE_VERSION + 1)]
    if header["build_id"] not in known:
        raise ModelFileError(f"its header says build_id {header['build_id']}, its weights give {known[-1]}")
    if header.get("digest", digest) != digest:  # files of earlier versions have none
        raise ModelFileError(
            f"its header says digest {header['digest']}, its content gives {digest}: it was changed after it was "
            "written. Export it again"
        )


def layer_layout(name: str, weight_shape: tuple[int, ...], types: Mapping[str, npt.DTypeLike]) -> Layout:
    """Type and shape of the arrays of one layer."""
    return {
        f"{name}.{part}": (dtype, weight_shape if part == "weight" else weight_shape[:1])
        for part, dtype in types.items()
    }


def fabric_layout(spec: Spec) -> Layout:
    """Type and shape of the arrays of the first exit."""
    return {
        name: expected
        for layer in spec.layers
        for name, expected in layer_layout(layer.name, layer.weight_shape, TYPES).items()
    }


def _layout(network: str, spec: Spec) -> Layout:
    """Type and shape of the arrays of a network's layers."""
    return {**fabric_layout(spec), **_remainder_layout(network)}


def _remainder_layout(network: str) -> Layout:
    return {
        name: expected
        for layer in remainder_layers(network)
        for name, expected in layer_layout(layer, _spec.REMAINDER_LAYERS[layer].weight_shape, TYPES).items()
    }


def _arrays(layers: Mapping[str, LayerWeights]) -> dict[str, Any]:
    """The arrays of layers by the names that they have in a model file."""
    return {f"{name}.{part}": array for name, layer in layers.items() for part, array in vars(layer).items()}


def _some(names: list[str]) -> str:
    """Names for a message, which a file must not make as long as it likes."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{names[:_NAMED]}{more}" if names else "none"


def same_names(what: str, found: Any, expected: list[str]) -> None:
    """Refuse names that are missing or too many."""
    missing, surplus = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or surplus:
        raise ModelFileError(f"{what}: missing {_some(missing)}, not expected {_some(surplus)}")


def check_array(name: str, array: Any, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
    """Refuse what is no array of a type and shape."""
    if not isinstance(array, np.ndarray):
        raise ModelFileError(f"{name} is {type(array).__name__}; it must be an array, {np.dtype(dtype)} {shape}")
    npz.check_description(name, array.dtype, array.shape, dtype, shape)


def check_fabric(spec: Spec, fabric: Mapping[str, LayerWeights]) -> None:
    """Refuse weights that the circuit of a spec cannot hold."""
    same_names("fabric layers", fabric, [layer.name for layer in spec.layers])
    _check_arrays(fabric_layout(spec), fabric)
    for layer in spec.layers:
        weights = fabric[layer.name]
        _check_ranges(layer.name, weights, layer.weight_max, layer.input_max)
        if layer.kernel == 1 and len(set(weights.shift.tolist())) > 1:
            raise ModelFileError(f"{layer.name} has several shifts; the logits of one exit share one scale")


def _check_arrays(layout: Layout, layers: Mapping[str, LayerWeights]) -> None:
    arrays = _arrays(layers)
    for name, expected in layout.items():
        check_array(name, arrays[name], *expected)


def _check_remainder(layer: RemainderLayer, weights: LayerWeights) -> None:
    _check_ranges(layer.name, weights, REMAINDER_WEIGHT_MAX, layer.input_max)
    if not layer.relu and len(set(weights.shift.tolist())) > 1:
        raise ModelFileError(f"{layer.name} has several shifts; the logits of one exit share one scale")
    if layer.kernel:
        span = int(np.abs(weights.weight.astype(np.int64)).sum((1, 2, 3)).max()) * layer.input_max
        if span >= CONVOLUTION_SPAN:
            raise ModelFileError(f"{layer.name} adds up over a range of {span}; it must stay below {CONVOLUTION_SPAN}")


def _check_ranges(name: str, weights: LayerWeights, weight_max: int, input_max: int) -> None:
    if np.abs(weights.weight.astype(int)).max() > weight_max:
        raise ModelFileError(f"{name} has a weight outside {-weight_max} to {weight_max}")
    if weights.shift.max() > SHIFT_MAX:
        raise ModelFileError(f"{name} has a shift of {weights.shift.max()}; at most {SHIFT_MAX} is allowed")
    low, high = weights.accumulator_range(input_max)
    if max(-low, high) >= ACCUMULATOR_LIMIT:
        raise ModelFileError(f"{name} accumulates {low} to {high}; it must stay below {ACCUMULATOR_LIMIT}")
