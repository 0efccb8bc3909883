"""The header of a .bit is read as Vivado writes it, and nothing else is taken for one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pynq_ee.driver import bit_header
from pynq_ee.errors import OverlayError
from pynq_ee.sim import bitfile


def written(path: Path, design: str, part: str = "7z020clg400", data: bytes = b"data") -> Path:
    """A .bit with a header of that design."""
    content = bytearray(bit_header.PREAMBLE)
    for key, text in zip(b"abcd", (design, part, "2022/05/01", "12:00:00")):
        content += struct.pack(">BH", key, len(text) + 1) + text.encode() + b"\0"
    path.write_bytes(content + b"e" + struct.pack(">I", len(data)) + data)
    return path


@pytest.mark.parametrize(
    ("design", "user_id"),
    [
        ("first_exit_design_wrapper;UserID=0XA3A4AB5B;Version=2022.1", 0xA3A4AB5B),
        ("top;UserID=0XA3A4AB5B;COMPRESS=TRUE;Version=2020.1", 0xA3A4AB5B),
        ("top;COMPRESS=TRUE;UserID=0xa3a4ab5b", 0xA3A4AB5B),
        ("top;UserID=0X0000002A;Version=2025.1;SW_CRC=62685c4c", 42),
        ("top;UserID=0XFFFFFFFF;Version=2018.3", None),
        ("top;Version=2018.3", None),
        ("top", None),
        ("top;UserID=0X123456789;Version=1", None),
        ("top;UserID=TIMESTAMP;Version=1", None),
    ],
)
def test_the_id_is_read_wherever_it_stands(tmp_path: Path, design: str, user_id: int | None) -> None:
    header = bit_header.read(written(tmp_path / "a.bit", design))
    assert header == bit_header.BitHeader(design, "7z020clg400", user_id)


@pytest.mark.parametrize(
    ("part", "spelled"), [("xc7z020clg400-1", "7z020clg400"), ("xczu7ev-ffvc1156-2-e", "xczu7ev-ffvc1156-2-e")]
)
def test_what_the_simulated_board_writes_is_read(tmp_path: Path, part: str, spelled: str) -> None:
    header = bit_header.read(bitfile.write(tmp_path / "a.bit", "first_exit", part, b"12345", 0x1234ABCD))
    assert (header.part, header.user_id) == (spelled, 0x1234ABCD)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"no bitstream at all", id="another file"),
        pytest.param(lambda content: content[:20], id="cut in a field"),
        pytest.param(lambda content: content[:-1], id="cut in the data"),
        pytest.param(lambda content: content.replace(b"b\0\x0c", b"x\0\x0c"), id="no part"),
        pytest.param(lambda content: content.replace(b"7z020", b"\xff\xff020"), id="no text"),
        pytest.param(lambda content: content.replace(b"a\0", b"a\xff", 1), id="a field beyond the file"),
    ],
)
def test_what_is_no_whole_bit_is_refused(tmp_path: Path, damage) -> None:
    path = written(tmp_path / "a.bit", "top;UserID=0X0000002A")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OverlayError, match=r"a\.bit is no bitstream file .*; copy it again, or build it again"):
        bit_header.read(path)


def test_a_file_that_is_not_there_is_no_bitstream(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match="no bitstream file"):
        bit_header.read(tmp_path / "none.bit")
