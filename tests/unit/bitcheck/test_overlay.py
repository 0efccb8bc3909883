"""The bitstream of open tools in the repository, read back and driven, where there is a database of the device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pynq_ee.bench.circuit import netlist
from pynq_ee.bitcheck import verilog
from pynq_ee.bitcheck.__main__ import VARIABLE
from pynq_ee.bitcheck.check import check
from pynq_ee.data import datasets
from pynq_ee.driver import bitfiles
from pynq_ee.network import spec, weights
from pynq_ee.openflow import manifest

BOARD = spec.DEFAULT_BOARD
DATABASE = os.environ.get(VARIABLE)


@pytest.mark.slow
@pytest.mark.skipif(not DATABASE, reason=f"{VARIABLE} names no database of the device in prjxray's format")
def test_the_open_bitstream_is_the_circuit_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DATABASE
    model = bitfiles.as_in_open(weights.load(weights.DEFAULT), BOARD)
    with monkeypatch.context() as context:  # the compiled netlist is kept where others are
        context.setenv("PYNQ_EE_CACHE", str(tmp_path))
        bitfile = bitfiles.find_open(BOARD, model.build_id)
    found, circuit = check(bitfile.read_bytes(), Path(DATABASE))
    assert not found.faults
    path = tmp_path / "bitcheck.v"
    path.write_text(verilog.write(circuit, bitfile.name))
    assert manifest.digest(path) == bitfiles.manifest(bitfile)["netlist_sha256"]["read_back"]
    findings = list(netlist.check(model, path, datasets.available().images[: netlist.IMAGES]))
    assert len(findings) > 10 and all(right for _, right in findings), findings
