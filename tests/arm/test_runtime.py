"""The runtime's own tests pass on the board's processor: those that a processor can make a difference to."""

from __future__ import annotations

import re

import pytest

from arm.board import HOME, Board

#: Arguments of pytest by what the tests are about: what a processor of other width, or other vectors, may take
#: otherwise, in some minutes. Left out is what takes longer under the emulator, or needs packages that no board has.
SELECTION = {
    "arithmetic": (
        *("tests/unit/network/test_fabric.py", "tests/unit/network/test_quantize.py", "tests/unit/exits/test_rule.py"),
        *("tests/unit/exits/test_softmax_entropy.py", "tests/unit/test_narrow_index.py"),
        *("-k", "'not all_digits and not scores_have'"),
    ),
    "engine": ("tests/unit/remainder/test_native.py", "-k", "every_batch_size_on_every_instruction_set"),
    "board": ("tests/sim/test_axi_dma.py", "tests/sim/test_device.py", "tests/sim/test_dram.py"),
    # pynq's own device on the stand-ins of tests/board, with XRT's library compiled there.
    "box": ("-p", "board.box.plugin", "tests/board/inside"),
}


@pytest.mark.parametrize("subject", SELECTION)
def test_the_tests_pass_there(compiled: Board, subject: str) -> None:
    # -P: the installed package, not the folder of that name in the checkout.
    line = f"python3 -P -m pytest -p no:cacheprovider -rs {' '.join(SELECTION[subject])}"
    done = compiled.shell(line, directory=f"{HOME}/checkout", check=False, PYTHONPATH="tests")
    report = done.stdout[-8000:] + done.stderr[-2000:]
    assert done.returncode == 0, report
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    print(f"{subject}: {passed} passed")
