"""However large a file says that it is, reading it takes no more memory than the largest right one could."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fuzz.make_corpus import archive_of, descriptions, members_of, npy, png, small_model
from pynq_ee.data import grey
from pynq_ee.driver import hardware_description
from pynq_ee.network import npz

MEGABYTE = 1 << 20

#: Reads files in a process of its own. Linux lets the peak be set back: writing 5 to clear_refs (see proc(5)).
CHILD = """
import json, sys, warnings
from pathlib import Path
from fuzz.targets import accepts

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

warnings.simplefilter("ignore")
for name in ("model", "picture", "description", "manifest", "dataset"):
    accepts(name, b"")
for name, path in json.load(sys.stdin):
    content = Path(path).read_bytes()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    accepted = accepts(name, content)
    print(json.dumps([accepted, memory("VmHWM") - before]))
"""


class Hostile(NamedTuple):
    """A file, its target, and the most that reading it may add to the memory of a process."""

    name: str
    content: Callable[[], bytes]
    megabytes: float
    accepted: bool = False


def largest(channels: int, depth: int, colour: int) -> bytes:
    """A picture with as many pixels as are read."""
    width, height = 6000, grey.MAX_PICTURE_PIXELS // 6000
    return png(width, height, depth=depth, colour=colour, data=bytes((width * channels * depth // 8 + 1) * height))


def surplus(name: str) -> bytes:
    """A model file with a member that unpacks to far more than its array."""
    members = members_of(small_model())
    return archive_of(members | {name: members[name] + bytes(64 * MEGABYTE)})


HOSTILE = {
    "an archive of many empty members": Hostile(
        "model", lambda: archive_of({f"{number}": b"" for number in range(npz.FILE_LIMIT // 100)}), 60
    ),
    "a model file behind which more lies": Hostile("model", lambda: small_model() + bytes(64 * MEGABYTE), 60),
    "a member that unpacks to more than its array": Hostile("model", lambda: surplus("fc1.weight.npy"), 30),
    "a header that unpacks to more than its text": Hostile("model", lambda: surplus("header.npy"), 30),
    "a member that claims a petabyte": Hostile(
        "model",
        lambda: archive_of(members_of(small_model()) | {"fc1.weight.npy": npy(np.zeros(1, np.float32), (1 << 48,))}),
        30,
    ),
    "a data set that unpacks to more than MNIST": Hostile(
        "dataset", lambda: gzip.compress(bytes(64 * MEGABYTE), 1), 40
    ),
    "a manifest of many brackets": Hostile("manifest", lambda: b"[" * 64 * MEGABYTE, 30),
    "entities that grow": Hostile("description", lambda: dict(descriptions())["refused-entities-that-grow"], 30),
    "a description of many elements": Hostile(
        "description", lambda: b"<a>" + b"<a/>" * (hardware_description.FILE_LIMIT // 4 - 2) + b"</a>", 100
    ),
    "a description of many attributes": Hostile(
        "description",
        lambda: b"<a %b/>" % b" ".join(b'a%d=""' % n for n in range(hardware_description.FILE_LIMIT // 13)),
        250,
    ),
    "a description that is too long": Hostile("description", lambda: b"<a>" + b" " * (64 * MEGABYTE) + b"</a>", 40),
    "a picture of ten thousand megapixels": Hostile("picture", lambda: png(100_000, 100_000), 20),
    "the largest picture, in grey": Hostile("picture", lambda: largest(1, 8, 0), 120, accepted=True),
    "the largest picture, of 16 bit": Hostile("picture", lambda: largest(1, 16, 0), 220, accepted=True),
    "the largest picture, transparent": Hostile("picture", lambda: largest(4, 8, 6), 280, accepted=True),
}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bool, float]]:
    """For each file whether it was accepted, and the megabytes that it took."""
    folder = tmp_path_factory.mktemp("hostile")
    files = []
    for number, hostile in enumerate(HOSTILE.values()):
        (folder / str(number)).write_bytes(hostile.content())
        files.append((hostile.name, str(folder / str(number))))
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        timeout=120,  # none hangs
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""},
        cwd=Path(__file__).parents[2],
    )
    assert child.returncode == 0, child.stderr
    return dict(zip(HOSTILE, (tuple(json.loads(line)) for line in child.stdout.splitlines())))


@pytest.mark.parametrize("what", HOSTILE)
def test_memory_is_bounded(read: dict[str, tuple[bool, float]], what: str) -> None:
    accepted, megabytes = read[what]
    assert accepted == HOSTILE[what].accepted
    assert megabytes <= HOSTILE[what].megabytes


def test_the_memory_is_measured(read: dict[str, tuple[bool, float]]) -> None:
    """The bounds above would hold if nothing was: a decoded picture takes its pixels at the least."""
    assert read["the largest picture, in grey"][1] > grey.MAX_PICTURE_PIXELS / MEGABYTE
