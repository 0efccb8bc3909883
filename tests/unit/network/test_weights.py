"""A model file is read whole and right, or refused by name; nothing in it is ever executed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from pynq_ee.errors import ModelFileError
from pynq_ee.network import weights
from pynq_ee.network.spec import NETWORKS, Spec
from pynq_ee.network.weights import LayerWeights, Model


def members_of(path: Path) -> dict[str, bytes]:
    """Name and content of each member of a model file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: dict[str, bytes]) -> Path:
    """A model file of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: np.ndarray) -> bytes:
    """An array as a member."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def with_header(path: Path, **changes: Any) -> Path:
    """The same file with other values in its header; None takes one out."""
    members = members_of(path)
    header = json.loads(str(np.load(io.BytesIO(members["header.npy"]))))
    header = {name: value for name, value in {**header, **changes}.items() if value is not None}
    return write_members(path, members | {"header.npy": npy(np.array(json.dumps(header)))})


# Round trip ----------------------------------------------------------------------------------------------------------


@settings(max_examples=12)
@given(st.sampled_from(models.SPECS), st.sampled_from(list(NETWORKS)), st.integers(0, 1000))
def test_a_model_comes_back_as_it_was_saved(tmp_path_factory: Any, spec: Spec, network: str, seed: int) -> None:
    model = models.random_model(seed, spec, network)
    path = weights.save(model, tmp_path_factory.mktemp("model") / "m.npz")
    again = weights.load(path)
    assert models.same_model(model, again)
    assert again.build_id == model.build_id


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [weights.save(models.random_model(5), tmp_path / name) for name in ("one.npz", "two.npz")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_saving_makes_folders_replaces_whole_files_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "m.npz"
    weights.save(models.random_model(1), path)
    weights.save(models.random_model(2), path)
    assert models.same_model(weights.load(path), models.random_model(2))
    assert [entry.name for entry in path.parent.iterdir()] == ["m.npz"]


def test_a_failed_save_keeps_the_old_file(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_file.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match=r"no space"):
        weights.save(models.random_model(9), model_file)
    assert model_file.read_bytes() == before
    assert list(model_file.parent.iterdir()) == [model_file]


def test_metadata_too_long_to_be_read_again_is_not_written(tmp_path: Path) -> None:
    model = models.random_model().with_thresholds((0.1,), story="x" * weights.HEADER_LIMIT)
    with pytest.raises(ModelFileError, match=f"at most {weights.HEADER_LIMIT}"):
        weights.save(model, tmp_path / "m.npz")
    assert not list(tmp_path.iterdir())


def test_an_array_in_fortran_order_comes_back_equal(tmp_path: Path) -> None:
    model = models.random_model()
    layer = model.fabric["trunk"]
    turned = dataclasses.replace(layer, weight=np.asfortranarray(layer.weight))
    other = dataclasses.replace(model, fabric={**model.fabric, "trunk": turned})
    assert other.build_id == model.build_id
    assert models.same_model(weights.load(weights.save(other, tmp_path / "m.npz")), model)


def test_other_thresholds_make_another_file_of_the_same_identity(tmp_path: Path) -> None:
    model = models.random_model(network="lenet5-3exit")
    changed = model.with_thresholds((0.25, float("inf")), command="calibrate")
    again = weights.load(weights.save(changed, tmp_path / "m.npz"))
    assert again.thresholds == (0.25, float("inf")) and again.build_id == model.build_id
    assert again.metadata == {**model.metadata, "command": "calibrate"}
    assert model.thresholds == (0.5, 0.5), "the model itself is not changed"


# Identity ------------------------------------------------------------------------------------------------------------


def test_the_build_id_of_a_known_model_never_changes() -> None:
    """A bitstream carries this number for years: a change of its rule orphans every bitstream that was built."""
    spec = Spec()
    zeros = {
        layer.name: LayerWeights(
            np.zeros(layer.weight_shape, np.int8),
            np.zeros(layer.out_channels, np.int32),
            np.zeros(layer.out_channels, np.uint8),
        )
        for layer in spec.layers
    }
    found = [f"{weights.build_id(spec, zeros, version):08x}" for version in (1, 2)]
    assert found == ["daa1daac", "3a4f67ed"]
    assert dataclasses.replace(models.random_model(), fabric=zeros).build_id == int(found[-1], 16)


def test_a_model_of_an_earlier_interface_is_read_and_has_the_build_id_of_this_one(tmp_path: Path) -> None:
    model = models.random_model(3)
    path = weights.save(model, tmp_path / "model.npz")
    with np.load(path) as file:
        arrays = dict(file)
    for version, known in ((1, True), (3, False)):
        header = json.loads(str(arrays["header"]))
        header["build_id"] = f"{weights.build_id(model.spec, model.fabric, version):08x}"
        np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
        if known:
            assert weights.load(path).build_id == model.build_id
        else:
            with pytest.raises(ModelFileError, match="its header says build_id"):
                weights.load(path)


@pytest.mark.parametrize("layer", ["trunk", "branch", "classifier"])
@pytest.mark.parametrize("part", ["weight", "bias", "shift"])
def test_every_part_of_the_circuit_is_in_the_build_id(layer: str, part: str) -> None:
    model = models.random_model()
    old = vars(model.fabric[layer])[part]
    new = np.where(old == 1, 0, 1).astype(old.dtype) if part == "weight" else (old + 1).astype(old.dtype)
    changed = dataclasses.replace(model.fabric[layer], **{part: new})
    assert dataclasses.replace(model, fabric={**model.fabric, layer: changed}).build_id != model.build_id


def test_the_spec_is_in_the_build_id_and_the_software_is_not() -> None:
    model, other = models.random_model(1), models.random_model(2)
    assert dataclasses.replace(model, spec=Spec(pixels_per_beat=4)).build_id != model.build_id
    assert dataclasses.replace(model, remainder=other.remainder, metadata={}).build_id == model.build_id


def test_the_shipped_models_carry_their_digest_and_are_what_save_writes(tmp_path: Path) -> None:
    for name in weights.shipped_models():
        path = Path(weights.__file__).parents[1] / "models" / f"{name}.npz"
        header = json.loads(str(np.load(path)["header"]))
        model = weights.load(name)
        assert header["digest"] == model.digest
        assert json.loads(str(np.load(weights.save(model, tmp_path / "m.npz"))["header"])) == header


@pytest.mark.parametrize(
    "change",
    [
        lambda m: dataclasses.replace(m, thresholds=(0.25, 0.5)),
        lambda m: dataclasses.replace(m, feature_exponent=m.feature_exponent + 1),
        lambda m: dataclasses.replace(m, logit_exponents=(m.logit_exponents[0], -7, -8)),
        lambda m: dataclasses.replace(m, fabric=models.random_model(9).fabric),
        lambda m: dataclasses.replace(m, remainder={**m.remainder, "exit2": other_bias(m.remainder["exit2"])}),
    ],
    ids=["thresholds", "feature exponent", "logit exponent", "fabric", "remainder"],
)
def test_all_that_a_prediction_depends_on_is_in_the_digest(change: Callable[[Model], Model]) -> None:
    model = models.random_model(network="lenet5-3exit")
    assert change(model).digest != model.digest
    assert dataclasses.replace(model, metadata={}).digest == model.digest


def other_bias(layer: LayerWeights) -> LayerWeights:
    """The layer with the lowest bit of one bias flipped."""
    bias = layer.bias.copy()
    bias[3] ^= 1
    return dataclasses.replace(layer, bias=bias)


def test_a_file_of_an_earlier_version_has_no_digest_and_is_read(model_file: Path) -> None:
    assert models.same_model(weights.load(with_header(model_file, digest=None)), models.random_model())


# Ranges --------------------------------------------------------------------------------------------------------------


def change_layer(model: Model, name: str, **parts: Any) -> Model:
    """A model with other weights in one layer of the fabric."""
    return dataclasses.replace(model, fabric={**model.fabric, name: dataclasses.replace(model.fabric[name], **parts)})


def change_software(model: Model, name: str, **parts: Any) -> Model:
    """A model with other weights in one layer of the remainder."""
    return dataclasses.replace(
        model, remainder={**model.remainder, name: dataclasses.replace(model.remainder[name], **parts)}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: dataclasses.replace(m, network="lenet6"), "network is 'lenet6'"),
        (lambda m: dataclasses.replace(m, network="lenet5-3exit"), r"missing \['exit2'\]"),
        (lambda m: dataclasses.replace(m, fabric={}), r"missing \['branch', 'classifier', 'trunk'\]"),
        (lambda m: dataclasses.replace(m, spec=Spec(branch_channels=8)), "branch.weight is int8"),
        (
            lambda m: change_layer(m, "branch", weight=m.fabric["branch"].weight * 2),
            "branch has a weight outside -1 to 1",
        ),
        (lambda m: change_layer(m, "trunk", weight=np.full((6, 1, 5, 5), -128, np.int8)), "trunk has a weight outside"),
        (lambda m: change_layer(m, "trunk", weight=m.fabric["trunk"].weight.astype(int)), "trunk.weight is int64"),
        (
            lambda m: change_layer(m, "trunk", weight=m.fabric["trunk"].weight[:5]),
            r"trunk.weight is int8 \(5, 1, 5, 5\)",
        ),
        (lambda m: change_layer(m, "trunk", weight=[[1]]), "trunk.weight is list"),
        (lambda m: change_layer(m, "trunk", shift=np.full(6, 32, np.uint8)), "shift of 32; at most 31"),
        (lambda m: change_layer(m, "trunk", bias=np.full(6, 2**24, np.int32)), "trunk accumulates .* below 16777216"),
        (lambda m: change_layer(m, "trunk", bias=np.full(6, -(2**31), np.int32)), "trunk accumulates"),
        (lambda m: change_layer(m, "classifier", shift=np.arange(10).astype(np.uint8)), "share one scale"),
        (lambda m: dataclasses.replace(m, feature_exponent=33), "an exponent is 33; it must be"),
        (lambda m: dataclasses.replace(m, logit_exponents=(-2.5, 1)), "an exponent is -2.5; it must be a whole number"),
        (lambda m: dataclasses.replace(m, logit_exponents=(-6,)), r"logit_exponents are \(-6,\); there must be one"),
        (lambda m: change_software(m, "fc1", weight=m.remainder["fc1"].weight.astype(int)), "fc1.weight is int64"),
        (lambda m: change_software(m, "fc1", weight=np.full((120, 400), -128, np.int8)), "fc1 has a weight outside"),
        (lambda m: change_software(m, "fc1", shift=np.full(120, 32, np.uint8)), "shift of 32; at most 31"),
        (lambda m: change_software(m, "fc1", bias=np.full(120, 2**24, np.int32)), "fc1 accumulates .* below 16777216"),
        (lambda m: change_software(m, "fc3", shift=np.arange(10).astype(np.uint8)), "share one scale"),
        (
            lambda m: change_software(m, "conv", weight=np.full((16, 6, 5, 5), 30, np.int8)),
            "conv adds up over a range of 67500; it must stay below 65536",
        ),
        (lambda m: dataclasses.replace(m, thresholds=()), "0 thresholds for 2 exits"),
        (lambda m: m.with_thresholds((0.1, 0.2)), "2 thresholds for 2 exits"),
        (lambda m: m.with_thresholds((float("nan"),)), "each must be 0 nats or more"),
        (lambda m: m.with_thresholds((-0.1,)), "each must be 0 nats or more"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(change: Callable[[Model], Model], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        change(models.random_model())


@given(st.integers(0, 10**6), st.sampled_from(models.SPECS))
def test_the_range_of_an_accumulator_is_reached_and_not_left(seed: int, spec: Spec) -> None:
    random = np.random.default_rng(seed)
    layer = spec.layers[seed % 3]
    layer_weights = models.random_layer(random, layer)
    low, high = layer_weights.accumulator_range(layer.input_max)
    flat = layer_weights.weight.reshape(layer.out_channels, -1).astype(int)

    def sums(inputs: np.ndarray) -> np.ndarray:
        return (flat * inputs).sum(1) + layer_weights.bias

    random_sums = sums(random.integers(0, layer.input_max + 1, flat.shape))
    assert low <= random_sums.min() and random_sums.max() <= high
    assert sums(layer.input_max * (flat > 0)).max() == high
    assert sums(layer.input_max * (flat < 0)).min() == low


# Files that are not models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing-shipped", "no shipped model 'nothing-shipped'"),
        ("", "no shipped model ''"),
        ("no/such/file.npz", "no model file no/such/file.npz"),
        ("x" * 300 + ".npz", "damaged or no model file"),
        ("nul\0.npz", "."),
        (".", "."),
    ],
)
def test_a_file_that_is_not_there_is_an_error_that_says_so(name: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        weights.load(name)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x93NUMPY", os.urandom(1000), b"PK\x05\x06" + bytes(18), pickle.dumps({"header": 1})]
)
def test_what_is_no_archive_of_arrays_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"m\.npz"):
        weights.load(path)


def test_a_pipe_is_no_model_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ModelFileError, match=r"not a regular file"):
        weights.load(tmp_path / "pipe.npz")


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"damaged or no model file"):
        weights.load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(model_file: Path) -> None:
    model_file.chmod(0)
    with pytest.raises(ModelFileError, match=r"PermissionError"):
        weights.load(model_file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "format is 3; this version reads 2. Export it again"),
        ({"format": 1}, "format is 1, .* Convert it: pynq-ee export .*model.npz --output NEW.npz"),
        ({"format": None}, "damaged"),
        ({"network": "lenet6"}, "network is 'lenet6'"),
        ({"network": ["lenet5-2exit"]}, "damaged"),
        ({"network": "lenet5-3exit"}, "missing .*exit2"),
        ({"spec": {"pixels_per_beat": 4}}, "says build_id"),
        ({"spec": {"branch_channels": 99}}, "branch_channels is 99"),
        ({"spec": {"colour": 1}}, "damaged"),
        ({"spec": []}, "damaged"),
        ({"build_id": "00000000"}, "its header says build_id 00000000, its weights give"),
        ({"digest": "00"}, "its header says digest 00, its content gives .*changed after it was written"),
        ({"logit_exponents": [-6, 3]}, "its header says digest"),
        ({"logit_exponents": 3}, "damaged"),
        ({"feature_exponent": 0.5}, "an exponent is 0.5"),
        ({"logit_exponents": ["1", 1]}, "an exponent is '1'"),
        ({"metadata": 3}, "damaged"),
        ({"metadata": {"x": "y" * weights.HEADER_LIMIT}}, "the header is"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_header_that_does_not_fit_is_refused(model_file: Path, changes: dict, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        weights.load(with_header(model_file, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 5000, '{"format": 1e999}'], ids=lambda text: text[:12])
def test_a_header_that_is_no_header_is_refused(model_file: Path, text: str) -> None:
    write_members(model_file, members_of(model_file) | {"header.npy": npy(np.array(text))})
    with pytest.raises(ModelFileError):
        weights.load(model_file)


@pytest.mark.parametrize("name", ["header", "trunk.bias", "thresholds", "fc3.weight"])
def test_a_missing_member_is_named(model_file: Path, name: str) -> None:
    members = members_of(model_file)
    del members[f"{name}.npy"]
    with pytest.raises(ModelFileError, match=name):
        weights.load(write_members(model_file, members))


def test_a_surplus_member_is_named(model_file: Path) -> None:
    with pytest.raises(ModelFileError, match=r"not expected .'extra'"):
        weights.load(write_members(model_file, members_of(model_file) | {"extra.npy": npy(np.zeros(1))}))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("trunk.weight", np.zeros((6, 1, 5, 5), np.int16), "trunk.weight is int16"),
        ("trunk.bias", np.zeros(7, np.int32), r"trunk.bias is int32 \(7,\); it must be int32 \(6,\)"),
        ("trunk.shift", np.zeros((6, 1), np.uint8), "trunk.shift is uint8"),
        ("fc1.bias", np.zeros(120, ">f4"), "fc1.bias is >f4"),
        ("fc1.bias", np.full(120, np.nan, np.float32), "fc1.bias is float32"),
        ("thresholds", np.zeros((1, 1)), "thresholds is float64"),
        ("thresholds", np.array([-1.0]), "each must be 0 nats or more"),
        ("thresholds", np.array([0.25]), "its header says digest .* its content gives"),
        ("fc1.bias", np.zeros(120, np.int32), "its header says digest .* its content gives"),
        ("header", np.zeros(3), "the header is float64"),
    ],
)
def test_an_array_of_another_kind_is_refused(model_file: Path, name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        weights.load(write_members(model_file, members_of(model_file) | {f"{name}.npy": npy(array)}))


@pytest.mark.parametrize("name", ["header", "trunk.weight", "fc1.weight"])
@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20, 1 << 20)])
def test_a_claimed_size_is_checked_before_memory_is_taken(model_file: Path, name: str, shape: tuple) -> None:
    claim = io.BytesIO()
    dtype = "<U4" if name == "header" else "|i1"
    np.lib.format.write_array_header_1_0(claim, {"descr": dtype, "fortran_order": False, "shape": shape})
    write_members(model_file, members_of(model_file) | {f"{name}.npy": claim.getvalue()})
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=name):
            weights.load(model_file)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_a_member_that_unpacks_to_more_than_its_array_is_not_unpacked(model_file: Path) -> None:
    members = members_of(model_file)
    path = write_members(model_file, members | {"trunk.bias.npy": members["trunk.bias.npy"] + bytes(60_000_000)})
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"trunk.bias has bytes behind its array"):
            weights.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


class Payload:
    """Unpickling it makes a folder: proof that something was executed."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.proof),)


def test_the_payload_of_these_tests_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "proof")))
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("name", ["header", "thresholds", "trunk.weight", "fc1.weight", "extra"])
def test_a_pickled_member_is_refused_and_never_executed(model_file: Path, tmp_path: Path, name: str) -> None:
    proof = tmp_path / "proof"
    content = io.BytesIO()
    np.save(content, np.array([Payload(proof)], dtype=object), allow_pickle=True)
    write_members(model_file, members_of(model_file) | {f"{name}.npy": content.getvalue()})
    with pytest.raises(ModelFileError, match=name):
        weights.load(model_file)
    write_members(model_file, members_of(model_file) | {f"{name}.npy": pickle.dumps(Payload(proof))})
    with pytest.raises(ModelFileError):
        weights.load(model_file)
    assert not proof.exists()


def test_a_pickle_in_place_of_the_file_is_never_executed(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(pickle.dumps(Payload(tmp_path / "proof")))
    with pytest.raises(ModelFileError):
        weights.load(path)
    assert not (tmp_path / "proof").exists()


# Damage --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(repr=False)
class Pristine:
    """A model, the bytes of its file, and a path to put damaged ones to."""

    model: Model
    content: bytes
    path: Path

    def is_refused_or_unharmed(self) -> None:
        """What damage may lead to: the error that names the file, or the very same model."""
        try:
            again = weights.load(self.path)
        except ModelFileError as error:
            assert str(self.path) in str(error)
        else:
            assert models.same_model(self.model, again)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    """Three exits: the most members."""
    model = models.random_model(3, Spec(branch_channels=2), "lenet5-3exit")
    path = weights.save(model, tmp_path_factory.mktemp("damage") / "m.npz")
    return Pristine(model, path.read_bytes(), path)


@settings(max_examples=300)
@given(st.data())
def test_flipped_bytes_are_noticed_or_harmless(pristine: Pristine, data: st.DataObject) -> None:
    damaged = bytearray(pristine.content)
    # Half of the flips in the directory at the end and the headers at the start, where each byte has a meaning.
    last = len(damaged) - 1
    position = st.one_of(st.integers(0, last), st.one_of(st.integers(0, 300), st.integers(last - 1500, last)))
    for at, value in data.draw(st.lists(st.tuples(position, st.integers(1, 255)), min_size=1, max_size=3)):
        damaged[at] ^= value
    pristine.path.write_bytes(damaged)
    pristine.is_refused_or_unharmed()


@settings(max_examples=100)
@given(st.data())
def test_a_truncated_or_spliced_file_is_noticed(pristine: Pristine, data: st.DataObject) -> None:
    content = pristine.content
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(content) - 1)] * 2)))
    pristine.path.write_bytes(content[:start] + data.draw(st.binary(max_size=64)) + content[stop:])
    pristine.is_refused_or_unharmed()
    pristine.path.write_bytes(content[:start])
    with pytest.raises(ModelFileError):
        weights.load(pristine.path)


@settings(max_examples=60)
@given(st.data())
def test_members_in_each_others_place_are_noticed(pristine: Pristine, data: st.DataObject) -> None:
    pristine.path.write_bytes(pristine.content)
    members = members_of(pristine.path)
    one, other = data.draw(st.tuples(*[st.sampled_from(list(members))] * 2))
    members[one], members[other] = members[other], members[one]
    write_members(pristine.path, members)
    pristine.is_refused_or_unharmed()


@settings(max_examples=60)
@given(st.data())
def test_damage_under_a_right_checksum_is_noticed(pristine: Pristine, data: st.DataObject) -> None:
    """The archive's checksums are made new, so that what is read next meets the damage."""
    pristine.path.write_bytes(pristine.content)
    members = members_of(pristine.path)
    name = data.draw(st.sampled_from([name for name in members if name != "header.npy"]))
    damaged = bytearray(members[name])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    write_members(pristine.path, members | {name: bytes(damaged)})
    pristine.is_refused_or_unharmed()
