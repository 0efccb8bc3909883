"""From bits to features and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiny_device
from pynq_ee.bitcheck import features, frames
from pynq_ee.bitcheck.check import check
from pynq_ee.bitcheck.database import Database
from pynq_ee.errors import DataError, InputError


def choices(database: Database, tile: str) -> list[list[str]]:
    """Features of a tile by the bits that they are about: of each list, one may be set."""
    (block,) = database.blocks(tile)
    groups: dict[frozenset, list[str]] = {}
    for pattern in database.patterns(block.patterns_of, block.bus):
        group = groups.setdefault(frozenset((*pattern.ones, *pattern.zeros)), [])
        if pattern.ones:
            group.append(pattern.feature)
    return [group for group in groups.values() if group]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(data=st.data())
def test_features_come_back_from_their_bits(database: Database, data: st.DataObject) -> None:
    wanted = {}
    for tile in ("LOGIC_X3Y0", "LOGIC_X3Y1", "SWITCHES_X2Y1", "MEMORY_X4Y0"):
        groups = choices(database, tile)
        some = data.draw(st.lists(st.sampled_from(range(len(groups))), unique=True, min_size=1, max_size=40))
        wanted[tile] = {data.draw(st.sampled_from(groups[number])) for number in some}
    bits = tiny_device.bits_of(database, wanted)
    found = features.decode(database, frames.addresses(database.part_data), bits)
    assert found.features == wanted and not found.unknown


def test_a_bit_of_no_feature_is_unknown_and_named(database: Database) -> None:
    bits = tiny_device.bits_of(database, {"LOGIC_X3Y0": ["SLICEM_X0.FFSYNC"]})
    bits[3, 32 * 90 + 5] = 1
    found, _ = check(tiny_device.bitstream(tiny_device.with_codes(bits)), database.folder)
    assert found.unknown == ["no feature has bit 5 of word 90 of frame 0x00000003"]
    assert found.bits == 2 and found.unknown[0] in found.faults


def test_a_pattern_with_a_bit_too_many_is_no_feature(database: Database) -> None:
    """A code of a multiplexer that none of its choices has."""
    order = frames.addresses(database.part_data)
    pattern = next(p for p in database.patterns("SWITCHES", "CLB_IO_CLK") if p.feature == "TO_A1.GND_WIRE")
    bits = np.zeros((len(order), frames.BITS), np.uint8)
    for minor, bit in (*pattern.ones, *pattern.zeros):
        bits[order.index(0x80 + minor), bit] = 1
    found = features.decode(database, order, bits)
    assert not found.features and len(found.unknown) == len(pattern.ones) + len(pattern.zeros)


def test_unset_bits_alone_are_a_feature_that_can_be_broken(database: Database) -> None:
    bits = tiny_device.bits_of(database, {"LOGIC_X3Y0": ["SLICEM_X0.CLKINV"], "LOGIC_X3Y1": ["SLICEM_X0.FFSYNC"]})
    found = features.decode(database, frames.addresses(database.part_data), bits)
    assert found.broken == {"LOGIC_X3Y0": {"SLICEM_X0.NOCLKINV"}}


def test_a_wrong_code_of_a_frame_is_a_fault(database: Database) -> None:
    bits = tiny_device.bits_of(database, {})
    bits[5, frames.CODE.start] = 1
    found, _ = check(tiny_device.bitstream(bits), database.folder)
    assert found.wrong_codes == 1 and found.faults[0].startswith("1 frames whose error-correcting code")


@pytest.mark.parametrize(("idcode", "part"), [(0x0, "tinycq1"), (tiny_device.IDCODE, "7z020clg400")])
def test_another_part_is_refused(database: Database, idcode: int, part: str) -> None:
    data = tiny_device.bitstream(tiny_device.bits_of(database, {}), idcode, part)
    with pytest.raises(InputError, match=rf"for xc{part} with the IDCODE 0x{idcode:08x}.*knows xctinycq1-1"):
        check(data, database.folder)


def test_the_revision_of_the_silicon_does_not_matter(database: Database) -> None:
    found, _ = check(
        tiny_device.bitstream(tiny_device.bits_of(database, {}), tiny_device.IDCODE ^ 1 << 30), database.folder
    )
    assert found.part == tiny_device.PART


def test_a_folder_that_is_no_database_is_refused(database: Database, tmp_path: object) -> None:
    with pytest.raises(DataError, match=r"no \*/part.json"):
        Database(tmp_path, tiny_device.IDCODE)  # type: ignore[arg-type]
