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
        (instructions.PYNQ_Z2.compiler, instructions.PYNQ_Z2.package),
        (instructions.PYNQ_Z2.emulator, "qemu-user"),
    ):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian's package {package})")
    return instructions.count(weights.load(weights.DEFAULT))


@pytest.mark.slow
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
            kinds[kind]
            for kinds in kernels.values()
            for kind in kinds
            if kind in {"multiply", "multiply, long", "vector memory"}
        )
        assert whole > 0.9 * found.an_image * found.images
        assert vectors > 0.6 * whole


@pytest.mark.parametrize(
    ("target", "instruction", "kind"),
    [
        ("armv7", "vmla.i16 q8, q4, d0[0]", "multiply"),
        ("armv7", "vmul.i16 q8, q4, q5", "multiply"),
        ("armv7", "vqdmulh.s16 q8, q4, q5", "multiply"),
        ("armv7", "vmull.s8 q8, d4, d0", "multiply, long"),
        ("armv7", "vmlal.s8 q8, d4, d0", "multiply, long"),
        ("armv7", "vmax.s16 q8, q8, q9", "vector, other"),
        ("armv7", "vmov q8, q9", "vector, other"),
        ("armv7", "vld1.16 {d8, d9}, [r1]!", "vector memory"),
        ("armv7", "vpush {d8}", "vector memory"),
        ("armv7", "ldrb.w r1, [r2]", "memory"),
        ("armv7", "push {r4, lr}", "memory"),
        ("armv7", "b #0x1044", "branch"),
        ("armv7", "bne.w #0x1044", "branch"),
        ("armv7", "bic.w r1, r2, #3", "other"),
        ("armv7", "mla r1, r2, r3, r4", "other"),
        ("arm64", "mla v16.8h, v4.8h, v0.h[0]", "multiply"),
        ("arm64", "smlal2 v16.8h, v4.16b, v0.16b", "multiply, long"),
        ("arm64", "sadalp v2.4s, v3.8h", "vector, other"),
        ("arm64", "movi v2.4s, #0", "vector, other"),
        ("arm64", "umov w1, v2.h[0]", "vector, other"),
        ("arm64", "ldr q5, [x1], #0x10", "vector memory"),
        ("arm64", "ld1r {v1.8h}, [x1]", "vector memory"),
        ("arm64", "stp d8, d9, [sp, #0x10]", "vector memory"),
        ("arm64", "ldp x1, x2, [sp]", "memory"),
        ("arm64", "strh w1, [x2]", "memory"),
        ("arm64", "b.ne #0x4000", "branch"),
        ("arm64", "ret", "branch"),
        ("arm64", "madd x1, x2, x3, x4", "other"),
        ("arm64", "bic w1, w2, w3", "other"),
        ("x86-64", "vpmaddubsw (%rax), %ymm1, %ymm2", "multiply"),
        ("x86-64", "vmovdqu (%rax), %ymm2", "vector memory"),
        ("x86-64", "vpaddw %ymm1, %ymm2, %ymm3", "vector, other"),
        ("x86-64", "movq 8(%rsp), %rax", "memory"),
        ("x86-64", "pushq %rbp", "memory"),
        ("x86-64", "movl %eax, %ebx", "other"),
        ("x86-64", "jne 0x401000", "branch"),
    ],
)
def test_an_instruction_is_of_the_kind_that_its_text_tells(target: str, instruction: str, kind: str) -> None:
    assert instructions.kind(instruction, instructions.TARGETS[target]) == kind


def test_a_compiler_that_is_missing_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"arm-linux-gnueabihf-g\+\+ is not installed; .* g\+\+-arm-linux-gnueabihf"):
        instructions.count(weights.load(weights.DEFAULT))
