"""Files of unknown origin are read or refused: never executed, never a crash, a hang, or memory out of proportion."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import CORPUS, TARGETS, accepts

FILES = sorted(path for path in CORPUS.glob("*/*") if path.is_file())

#: Mutated files and raw bytes that each target is given. Programming the simulated fabric takes longest.
EXAMPLES = {name: 20 if name == "simulated" else 60 for name in TARGETS}

#: What Pillow, zipfile and NumPy warn of in files is told by the exception or is harmless.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::SyntaxWarning", "ignore::DeprecationWarning")


def test_every_target_has_a_corpus_and_every_corpus_a_target() -> None:
    assert {path.parent.name for path in FILES} == TARGETS.keys()
    for name in TARGETS.keys() - {"dataset"}:  # the only accepted one is MNIST's own
        assert any(path.name.startswith("accepted-") for path in FILES if path.parent.name == name)
    assert {path.name.split("-")[0] for path in FILES} <= {"accepted", "refused", "found"}
    assert sum(path.stat().st_size for path in FILES) < 1_000_000, "the corpus is kept small"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_the_corpus_is_accepted_or_refused_as_its_name_says(path: Path) -> None:
    accepted = accepts(path.parent.name, path.read_bytes())
    if not path.name.startswith("found-"):
        assert accepted == path.name.startswith("accepted-")


@pytest.mark.parametrize("name", TARGETS)
def test_a_changed_file_is_accepted_or_refused(name: str) -> None:
    seeds = [path.read_bytes() for path in FILES if path.parent.name == name and path.stat().st_size < 40_000]

    @settings(max_examples=EXAMPLES[name], database=None)
    @given(st.sampled_from(seeds), st.data(), st.integers(0, 1 << 32))
    def holds(seed: bytes, data: st.DataObject, choice: int) -> None:
        def change(content: bytes) -> bytes:
            """Cut out, put in, and overwrite, here and there; half of it where headers are."""
            changed = bytearray(content)
            for _ in range(data.draw(st.integers(1, 4))):
                at = data.draw(st.integers(0, len(changed)) | st.integers(0, min(len(changed), 200)))
                piece = data.draw(st.binary(max_size=8) | st.sampled_from(INTERESTING))
                changed[at : at + data.draw(st.integers(0, 12) | st.just(len(piece)))] = piece
            return bytes(changed)

        accepts(name, TARGETS[name].change(seed, change, random.Random(choice)))

    holds()


INTERESTING = [b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\x80", b"-1", b"9" * 30, b"1e999", b"NaN", b"[" * 50, b'"']


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30)
@given(content=st.binary(max_size=300))
def test_raw_bytes_are_accepted_or_refused(name: str, content: bytes) -> None:
    accepts(name, content)
