"""The native engine's instructions on ARMv7: the documented count is the code's, and no more than promised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pynq_ee.bench.host import instructions
from pynq_ee.errors import ToolError
from pynq_ee.network import weights

PAGE = Path(__file__).parents[4] / "docs" / "board.md"


@pytest.fixture(scope="module")
def counts() -> list[instructions.Count]:
    for tool, package in (
        (instructions.COMPILER, "g++-arm-linux-gnueabihf"),
        (instructions.EMULATOR, "qemu-user"),
    ):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian's package {package})")
    return instructions.count(weights.load(weights.DEFAULT))


def test_every_task_executes_no_more_instructions_than_its_bar(counts: list[instructions.Count]) -> None:
    assert [found.task for found in counts] == list(instructions.TASKS)
    for found in counts:
        assert 0 < found.an_image <= instructions.TASKS[found.task].bar


def test_the_documented_count_is_that_of_the_code(counts: list[instructions.Count]) -> None:
    """To the instruction but for the compiler's patch release and libc's memcpy; of another compiler within a tenth."""
    text = PAGE.read_text().split(f"<!-- begin: {instructions.COMMAND} -->\n")[1].split("<!-- end -->")[0]
    same = f"*Counted*, {instructions.compiler_version()}." in text
    documented = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[1:2] == ["**all**"]:
            documented[cells[0].split(",")[0]] = int(cells[-2].replace(",", ""))
    assert documented == pytest.approx(
        {found.task: found.an_image for found in counts}, rel=0.005 if same else 0.1, abs=0.5
    )


def test_the_kernels_do_most_of_it_and_most_of_theirs_are_vectors(counts: list[instructions.Count]) -> None:
    for found in counts[:2]:
        kernels = {name: kinds for name, kinds in found.functions.items() if "__neon" in name}
        assert len(kernels) >= 2
        whole = sum(sum(kinds.values()) for kinds in kernels.values())
        vectors = sum(
            kinds[kind] for kinds in kernels.values() for kind in kinds if kind in {"multiply", "vector memory"}
        )
        assert whole > 0.9 * found.an_image * found.images
        assert vectors > 0.6 * whole


@pytest.mark.parametrize(
    ("mnemonic", "kind"),
    [
        ("vmla.i16", "multiply"),
        ("vmull.s8", "multiply"),
        ("vmlal.s8", "multiply"),
        ("vmax.s16", "vector, other"),
        ("vmov", "vector, other"),
        ("vld1.16", "vector memory"),
        ("vpush", "vector memory"),
        ("ldrb.w", "memory"),
        ("push", "memory"),
        ("b", "branch"),
        ("bne.w", "branch"),
        ("bic.w", "other"),
        ("mla", "other"),
    ],
)
def test_an_instruction_is_of_the_kind_that_its_name_tells(mnemonic: str, kind: str) -> None:
    assert instructions.kind(mnemonic) == kind


def test_a_compiler_that_is_missing_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"arm-linux-gnueabihf-g\+\+ is not installed; .* g\+\+-arm-linux-gnueabihf"):
        instructions.count(weights.load(weights.DEFAULT))
