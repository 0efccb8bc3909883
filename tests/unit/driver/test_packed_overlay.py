"""A packed overlay becomes the plain files that were packed, or an error that says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pynq_ee.driver import packed_overlay
from pynq_ee.errors import OverlayError, ToolError

BIT = bytes(5000) + bytes(range(256))


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed overlay with what belongs to it, and a cache of its own."""
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "first_exit.hwh").write_text("described")
    (folder / "manifest.json").write_text("{}")
    (folder / "first_exit.bit.gz").write_bytes(packed_overlay.pack(BIT))
    return folder / "first_exit.bit.gz"


def test_what_is_unpacked_is_what_was_packed_with_what_lies_beside_it(packed: Path, tmp_path: Path) -> None:
    bit = packed_overlay.unpack(packed)
    assert bit.is_relative_to(tmp_path / "cache") and bit.name == "first_exit.bit"
    assert bit.read_bytes() == BIT
    assert {path.name: path.read_bytes() for path in bit.parent.iterdir()} == {
        "first_exit.bit": BIT,
        "first_exit.hwh": b"described",
        "manifest.json": b"{}",
    }


def test_a_bitstream_is_packed_to_the_same_bytes_at_any_time() -> None:
    packed = packed_overlay.pack(BIT)
    assert packed == packed_overlay.pack(BIT) and len(packed) < len(BIT) / 5
    assert packed[4:8] == bytes(4), "the time is in it"


def test_what_is_there_is_left_and_what_was_damaged_is_written_again(packed: Path) -> None:
    bit = packed_overlay.unpack(packed)
    os.utime(bit, (1, 1))
    assert packed_overlay.unpack(packed) == bit and bit.stat().st_mtime == 1
    bit.write_bytes(BIT[:-1])
    assert packed_overlay.unpack(packed) == bit and bit.read_bytes() == BIT


def test_what_is_there_is_taken_from_a_cache_that_cannot_be_written(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bit = packed_overlay.unpack(packed)

    def refuse() -> Path:
        raise ToolError("there is no cache that can be written")

    monkeypatch.setattr(packed_overlay.cache, "writable", refuse)
    assert packed_overlay.unpack(packed) == bit
    bit.unlink()
    with pytest.raises(ToolError, match="no cache that can be written"):
        packed_overlay.unpack(packed)


def test_another_build_goes_to_another_place(packed: Path) -> None:
    first = packed_overlay.unpack(packed)
    packed.with_name("manifest.json").write_text('{"seed": 2}')
    second = packed_overlay.unpack(packed)
    assert first != second and first.with_name("manifest.json").read_text() == "{}"


def test_a_damaged_or_missing_file_is_told(packed: Path) -> None:
    content = packed.read_bytes()
    wrong_crc = content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]
    for damaged in (content[:-9], wrong_crc, content[:12] + b"\xff" * 9 + content[21:], b"no gzip"):
        packed.write_bytes(damaged)
        with pytest.raises(OverlayError, match=r"first_exit\.bit\.gz cannot be unpacked .*copy it again"):
            packed_overlay.unpack(packed)
    packed.unlink()
    with pytest.raises(OverlayError, match="FileNotFoundError"):
        packed_overlay.unpack(packed)


def test_without_a_cache_it_says_so(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_EE_CACHE", str(packed / "below a file"))
    with pytest.raises(ToolError, match="PYNQ_EE_CACHE"):
        packed_overlay.unpack(packed)
