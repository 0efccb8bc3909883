"""A record or a netlist is a file that somebody sent: whatever is in it, its reader says in a line what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pynq_ee.bench.circuit import depth, estimate, utilization
from pynq_ee.bench.paper import report
from pynq_ee.commands import bringup
from pynq_ee.errors import DataError

READERS: dict[str, Callable[[Path], object]] = {
    "results": report.read,
    "bring-up": bringup.read,
    "circuit": estimate.read,
    "netlist, its depth": depth.read,
    "netlist, its cells": lambda path: utilization.main([str(path)]),
}
CONTENTS = {
    "nothing": b"",
    "text": b"module zynq7_top; endmodule\n",
    "bytes": bytes(range(256)),
    "another encoding": '{"format": 1}'.encode("utf-16"),
    "half": b'{"modules": {"zynq7_top": {"cells"',
    "a number": b"3",
    "null": b"null",
    "a list": b"[]",
    "an object": b"{}",
    "numbers for objects": b'{"modules": {"zynq7_top": {"cells": {"a": 3}, "netnames": {}}}, "format": NaN}',
    "a hundred thousand lists": b"[" * 100_000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_record_is_an_error_of_the_package(
    read: Callable[[Path], object], content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "sent.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read(path)


@pytest.mark.parametrize("name", ["missing.json", "."])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_file_that_is_not_there_is_an_error_that_a_command_tells(
    read: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    with pytest.raises((DataError, OSError), match=name):
        read(tmp_path / name)
