"""Where ARM programs cannot be run, it is refused with the reason; nothing is skipped."""

from __future__ import annotations

import subprocess
import sys

import pytest

from arm import emulation

_FORBID = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'


def test_without_namespaces_the_reason_and_a_remedy_are_told(architecture: str) -> None:
    """In a user namespace that may have none below itself, which is how some containers are."""
    forbidden = ["unshare", "--user", "--map-root-user", "sh", "-c", _FORBID, "sh"]
    here = [sys.executable, emulation.__file__, architecture, "--", "true"]
    assert subprocess.run(here, capture_output=True, text=True, check=False).returncode == 0
    done = subprocess.run([*forbidden, *here], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "gives no namespaces to a program ([Errno 28]" in done.stderr and "--privileged" in done.stderr


def test_a_status_and_a_command_that_is_not_there_are_told(architecture: str) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, emulation.__file__, architecture, "--", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("sh", "-c", "exit 7").returncode == 7
    missing = run("/no/such/command")
    assert missing.returncode == 127 and "/no/such/command cannot be run" in missing.stderr


def test_another_than_root_is_told_how_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="sudo make test-arm"):
        emulation.enter("armhf", ["true"], None, {})
