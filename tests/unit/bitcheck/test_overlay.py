"""The bitstream of open tools in the repository, read back and driven, where there is a database of the device."""

from __future__ import annotations

import dataclasses
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
from pynq_ee.network.weights import Model

BITFILE = bitfiles.open_bitfile(spec.DEFAULT_BOARD)
DATABASE = os.environ.get(VARIABLE)


def model_of(bitfile: Path) -> Model:
    """The shipped model whose circuit should be in a bitstream, by its build_id."""
    shipped = weights.load(weights.DEFAULT)
    models = (
        dataclasses.replace(shipped, spec=dataclasses.replace(shipped.spec, pixels_per_beat=pixels))
        for pixels in (8, 4)
    )
    return next(model for model in models if model.build_id == bitfiles.build_id_of(bitfile))


@pytest.mark.slow
@pytest.mark.skipif(BITFILE is None, reason="no bitstream that open tools made is in overlay/open")
@pytest.mark.skipif(not DATABASE, reason=f"{VARIABLE} names no database of the device in prjxray's format")
def test_the_open_bitstream_is_the_circuit_of_the_model(tmp_path: Path) -> None:
    assert BITFILE and DATABASE
    found, circuit = check(BITFILE.read_bytes(), Path(DATABASE))
    assert not found.faults
    path = tmp_path / "bitcheck.v"
    path.write_text(verilog.write(circuit, BITFILE.name))
    findings = list(netlist.check(model_of(BITFILE), path, datasets.available().images[: netlist.IMAGES]))
    assert len(findings) > 10 and all(right for _, right in findings), findings
