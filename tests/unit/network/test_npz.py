"""Arrays go into an archive and come out of one, and no claim of an archive is believed before it is checked."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pynq_ee.errors import ModelFileError
from pynq_ee.network import npz

ARRAYS = hnp.arrays(st.sampled_from(["i1", "<i4", "u1", "<f4", "<f8", "<U9"]), hnp.array_shapes(min_dims=0, max_side=5))


@pytest.fixture
def archive_of(tmp_path: Path) -> Callable[..., Path]:
    """Writes an archive of named members."""

    def write(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, method)
        return tmp_path / "a.npz"

    return write


@given(array=ARRAYS)
def test_an_array_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    path = tmp_path_factory.getbasetemp() / "one.npz"
    path.write_bytes(npz.pack({"name": array}))
    assert np.load(path)["name"].tobytes() == array.tobytes(), "NumPy reads it as well"
    with npz.read_archive(path) as archive:
        assert npz.member_names(archive) == ["name"]
        dtype, shape = npz.describe(archive, "name")
        assert (dtype, shape) == (array.dtype, array.shape)
        again = npz.read_array(archive, "name", dtype, shape)
    assert again.dtype == array.dtype and again.tobytes() == array.tobytes()


def test_what_numpy_packs_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", a=np.arange(3, dtype=np.int32))
    np.savez_compressed(tmp_path / "packed.npz", a=np.arange(3, dtype=np.int32))
    for name in ("plain", "packed"):
        with npz.read_archive(tmp_path / f"{name}.npz") as archive:
            assert npz.read_array(archive, "a", np.int32, (3,)).tolist() == [0, 1, 2]


def test_an_object_is_not_packed() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        npz.pack({"a": np.array([object()])})


def test_a_file_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space on the disk
    with pytest.raises(ModelFileError, match=f"more than {npz.FILE_LIMIT} bytes"):
        npz.read_archive(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_packing_that_numpy_does_not_write_is_refused(archive_of: Callable[..., Path], method: int) -> None:
    with pytest.raises(ModelFileError, match=f"a.npy is packed by method {method}; stored and deflate are read"):
        npz.read_archive(archive_of(("a.npy", b"x"), method=method))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["a.npy", "a"])
def test_two_members_of_one_name_are_refused(archive_of: Callable[..., Path], other: str) -> None:
    with pytest.raises(ModelFileError, match="several members named a;"):
        npz.read_archive(archive_of(("a.npy", b"x"), ("b.npy", b"x"), (other, b"y")))


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"\x93NUMPY\x02\x00" + bytes(20), r"a is a .npy of version \(2, 0\); 1.0 is read"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"-" * 60_000, "description of 60000 bytes; at most 1024"),
    ],
)
def test_a_description_that_no_model_has_is_refused(
    archive_of: Callable[..., Path], member: bytes, message: str
) -> None:
    with npz.read_archive(archive_of(("a.npy", member))) as archive, pytest.raises(ModelFileError, match=message):
        npz.describe(archive, "a")


def test_an_array_that_is_another_one_than_expected_is_refused(archive_of: Callable[..., Path]) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(3, np.int8))
    with npz.read_archive(archive_of(("a.npy", content.getvalue()))) as archive:
        with pytest.raises(ModelFileError, match=r"a is int8 \(3,\); it must be int8 \(4,\)"):
            npz.read_array(archive, "a", np.int8, (4,))
        with pytest.raises(ModelFileError, match=r"a is int8 \(3,\); it must be uint8 \(3,\)"):
            npz.read_array(archive, "a", np.uint8, (3,))
