"""What the kernel's C++ must have for its rate, beside what a compiler checks: each rule yields a sentence a violation.

A pipelined loop that starts an iteration in every clock reads and writes most of its arrays at many places in a clock,
and a memory has two ports. So a local array is completely partitioned, and a constant array, which is in the scope of
no function, is read only at places that are known when its loops are unrolled. The pragmas are read as they are
written: one stands right behind the declaration, or the head of the function or the loop, that it governs.

What one synthesizer is known to read otherwise than a compiler does is a rule too: each of these was a wrong circuit,
or another one than the cycle model's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

HARDWARE = Path(__file__).resolve().parents[3] / "hw"

#: What the generated header makes of a step's weights: its first argument says which ROM is read.
ROM_READER = "classifier_weights"

#: FIFOs deep enough for a block RAM: what waits for an image's record.
WAITING = {"features"}

_ARRAY = re.compile(r"^ +(?!return\b)[\w:]+(?:<[^;=]*?>)? (\w+)((?:\[[^\]]+\])+)(?: = \{[^}]*\})?;$")
_STREAM = re.compile(r"^ +hls::stream<[\w:]+> (\w+);$")
_UNROLLED = re.compile(r"\bfor \(int (\w+) = [^{]*\{\n\s*VITIS\(HLS unroll\)")
_PIPELINE = re.compile(r"^ *VITIS\(HLS pipeline\b([^)]*)\)$", re.MULTILINE)
_DERIVED = re.compile(r"\bconst int (\w+) = ([^;,]+)(?:, (\w+) = ([^;,]+))?;")
_FUNCTION = re.compile(r"^(?:inline )?(?:void|[\w:]+) (\w+)\(([^;{]*)\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def sources() -> dict[str, str]:
    """The text of the kernel's own files, by their names."""
    paths = [*HARDWARE.glob("hls/*.cpp"), *HARDWARE.glob("hls/*.h")]
    return {path.name: path.read_text() for path in sorted(paths)}


def violations(texts: Mapping[str, str]) -> list[str]:
    """Every violation of every rule in the files, as sentences."""
    found = []
    for name, text in texts.items():
        code = re.sub(r" *//[^\n]*", "", text)
        found += [f"{name}: {sentence}" for rule in _RULES for sentence in rule(code)]
    return [*found, *_processes(texts)]


def _arrays(code: str) -> Iterator[str]:
    """Local arrays are registers."""
    lines = code.splitlines()
    for line, following in zip(lines, [*lines[1:], ""]):
        if found := _ARRAY.match(line):
            name, dimensions = found[1], found[2].count("[")
            pragma = f"VITIS(HLS array_partition variable={name} complete{' dim=0' if dimensions > 1 else ''})"
            if following.strip() != pragma:
                yield f"the array {name} is not followed by {pragma}"


def _streams(code: str) -> Iterator[str]:
    """FIFOs are as deep as the specification says, and shift registers but for those that fill a block RAM."""
    lines = code.splitlines()
    for number, line in enumerate(lines):
        if found := _STREAM.match(line):
            name = found[1]
            pragmas = [
                f"VITIS(HLS stream variable={name} depth=FIRST_EXIT_DEPTH_{name.upper()})",
                f"VITIS(HLS bind_storage variable={name} type=fifo impl={'bram' if name in WAITING else 'srl'})",
            ]
            if [following.strip() for following in lines[number + 1 : number + 3]] != pragmas:
                yield f"the stream {name} is not followed by {' '.join(pragmas)}"


def _initializers(code: str) -> Iterator[str]:
    """``= {0}`` sets one element of an array of ap_int: the others keep what their constructor leaves, nothing."""
    numbers = {"ap_int", "ap_uint", *re.findall(r"\busing (\w+) = ap_u?int<", code)}
    for line in code.splitlines():
        if (found := _ARRAY.match(line)) and "= {" in line and re.match(r" *(\w+)", line)[1] in numbers:
            yield f"the array {found[1]} is initialized in braces, which its elements beyond the first do not heed"


def _pipelines(code: str) -> Iterator[str]:
    """Pipelines are those of the cycle model: they stall as a whole, where newer releases choose by themselves."""
    for found in _PIPELINE.finditer(code):
        if found[1].split() != ["II=1", "style=stp"]:
            yield f"a loop is pipelined by '{found[0].strip()}', not by 'II=1 style=stp'"


def _reads(code: str) -> Iterator[str]:
    """A stream is read in a branch: a synthesizer may take both sides of a conditional expression for pure."""
    for found in re.finditer(r"\?[^;{}]*?(\w+)\.read\(\)", code):
        yield f"{found[1]} is read in a conditional expression"


def _products(code: str) -> Iterator[str]:
    """Products of activations are made by the one function that keeps them out of DSPs."""
    for found in re.finditer(r"^ *products\[[^=]*\] =\s*(\w+)", code, re.MULTILINE):
        if found[1] != "product":
            yield f"a product is made by '{found[1]}', not by product()"


def _processes(texts: Mapping[str, str]) -> Iterator[str]:
    """What a dataflow region calls stays a module of its own, whose loop and depth the reports tell."""
    code = "\n".join(re.sub(r" *//[^\n]*", "", text) for text in texts.values())
    functions = {found[1]: found[3] for found in _FUNCTION.finditer(code)}
    for region, body in functions.items():
        if "VITIS(HLS dataflow)" not in body:
            continue
        for name in re.findall(r"^  (?:fabric::)?(\w+)\(", body.partition("VITIS(HLS dataflow)")[2], re.MULTILINE):
            if name != "VITIS" and not functions[name].startswith("  VITIS(HLS inline off)\n"):
                yield f"{name}, a process of {region}, does not begin with VITIS(HLS inline off)"


def _constants(code: str) -> Iterator[str]:
    """Constant arrays are read at places that are known once every loop is unrolled."""
    functions = {found[1]: (found[2], found[3]) for found in _FUNCTION.finditer(code)}
    for name, (_, body) in functions.items():
        for found in re.finditer(r"\bweights::(\w+)([\[(])", body):
            if found[2] == "[":
                places = _subscripts(body[found.end() - 1 :])
            elif found[1] == ROM_READER:
                places = _arguments(body[found.end() - 1 :])[:1]
            else:
                places = []
            for place in places:
                if not _is_known(place, name, functions):
                    yield f"{name} reads {found[1]} at '{place}', which is not known before it runs"


_RULES = (_arrays, _initializers, _constants, _streams, _pipelines, _reads, _products)


def _is_known(expression: str, function: str, functions: Mapping[str, tuple[str, str]]) -> bool:
    """Whether an expression in a function consists of constants, variables of unrolled loops and what follows of them.

    A parameter is known where every call of the function in the same file gives it a known argument.
    """
    parameters, body = functions[function]
    names = [re.split(r"\W+", parameter.strip("[])& "))[-1] for parameter in _arguments(f"({parameters})")]
    unrolled = set(_UNROLLED.findall(body))
    derived = {name: value for row in _DERIVED.findall(body) for name, value in (row[:2], row[2:]) if name}
    for name in re.findall(r"\b[A-Za-z_]\w*\b", re.sub(r"\w+::", "", expression)):
        if name.isupper() or name in unrolled:
            continue
        if name in derived:
            known = _is_known(derived[name], function, functions)
        elif name in names:
            known = all(
                _is_known(_arguments(caller_body[call.end() - 1 :])[names.index(name)], caller, functions)
                for caller, (_, caller_body) in functions.items()
                for call in re.finditer(rf"\b{function}\(", caller_body)
            )
        else:
            known = False
        if not known:
            return False
    return True


def _subscripts(text: str) -> list[str]:
    """The expressions in the brackets that a text starts with: ``[a][b[0]] ..`` gives ``a`` and ``b[0]``."""
    found = []
    while text.startswith("["):
        end = _closing(text)
        found.append(text[1:end])
        text = text[end + 1 :]
    return found


def _arguments(text: str) -> list[str]:
    """The expressions in the parentheses that a text starts with, split at their commas."""
    found, start = [], 1
    end = _closing(text)
    depth = 0
    for place in range(1, end):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if text[place] == "," and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:end].strip()]


def _closing(text: str) -> int:
    """Where the bracket that a text starts with is closed."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return place
    raise ValueError(f"no bracket is closed in {text[:40]!r}")
