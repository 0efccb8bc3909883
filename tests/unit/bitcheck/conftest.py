"""The tiny device, written once, and the way from a circuit's features to what is found in its bitstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

import tiny_device
from pynq_ee.bitcheck.check import Findings, check
from pynq_ee.bitcheck.database import Database
from pynq_ee.bitcheck.netlist import Netlist


@pytest.fixture(scope="session")
def database_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_device.write_database(tmp_path_factory.mktemp("database") / "tiny")


@pytest.fixture(scope="session")
def database(database_folder: Path) -> Database:
    return Database(database_folder, tiny_device.IDCODE)


@pytest.fixture(scope="session")
def decode(database: Database) -> Callable[[Mapping[str, Iterable[str]]], tuple[Findings, Netlist]]:
    """From the features of tiles to what is found in the file that has their bits."""

    def decoded(features: Mapping[str, Iterable[str]]) -> tuple[Findings, Netlist]:
        data = tiny_device.bitstream(tiny_device.bits_of(database, features))
        return check(data, database.folder)

    return decoded
