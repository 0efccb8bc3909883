"""A hardware description is read whole, or refused by name before it can grow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pynq_ee.driver import hardware_description
from pynq_ee.errors import OverlayError


def description(folder: Path, content: bytes) -> Path:
    """A .hwh of this content."""
    path = folder / "d.hwh"
    path.write_bytes(content)
    return path


def test_elements_and_attributes_come_back(tmp_path: Path) -> None:
    root = hardware_description.read(description(tmp_path, b'<A N="1"><B V="&lt;x&gt;"/><B/></A>'))
    assert (root.tag, root.get("N"), [element.get("V") for element in root.iter("B")]) == ("A", "1", ["<x>", None])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "declaration", ["<!DOCTYPE a>", '<!DOCTYPE a SYSTEM "x.dtd">', '<!DOCTYPE a [<!ENTITY b "c">]>']
)
def test_a_document_type_is_refused_in_every_encoding(tmp_path: Path, declaration: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}<a/>'
    with pytest.raises(OverlayError, match=r"d.hwh is damaged \(it has a document type declaration\); copy or build"):
        hardware_description.read(description(tmp_path, text.encode(encoding)))


@pytest.mark.parametrize("depth", [hardware_description.DEPTH_LIMIT, hardware_description.DEPTH_LIMIT + 1])
def test_elements_are_nested_up_to_a_limit(tmp_path: Path, depth: int) -> None:
    path = description(tmp_path, b"<a>" * depth + b"</a>" * depth)
    if depth == hardware_description.DEPTH_LIMIT:
        assert sum(1 for _ in hardware_description.read(path).iter()) == depth
    else:
        with pytest.raises(OverlayError, match="nested more than 64 deep"):
            hardware_description.read(path)


def test_more_elements_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware_description, "ELEMENT_LIMIT", 10)
    path = description(tmp_path, b"<a>" + b"<b/>" * 9 + b"</a>")
    assert len(hardware_description.read(path)) == 9
    with pytest.raises(OverlayError, match="it has more than 10 elements"):
        hardware_description.read(description(tmp_path, b"<a>" + b"<b/>" * 10 + b"</a>"))


def test_a_file_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "d.hwh"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no space on the disk
    with pytest.raises(OverlayError, match=r"d.hwh has more than 8388608 bytes"):
        hardware_description.read(path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.hwh")
    for name in ("pipe.hwh", "missing.hwh", ".", "nul\0.hwh"):
        with pytest.raises(OverlayError, match="is damaged"):
            hardware_description.read(tmp_path / name)
