"""Where the cache is, whatever the environment says or leaves out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pynq_ee import cache
from pynq_ee.errors import ToolError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files; no variable says anything yet."""
    for name in ("PYNQ_EE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def private(temporary: Path) -> Path:
    return temporary / f"pynq_ee-{os.geteuid()}"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/home/x"}, "/home/x/.cache/pynq_ee"),
        ({"HOME": "/home/x", "XDG_CACHE_HOME": "/x"}, "/x/pynq_ee"),
        ({"HOME": "/home/x", "XDG_CACHE_HOME": ""}, "/home/x/.cache/pynq_ee"),
        ({"HOME": "/home/x", "XDG_CACHE_HOME": "relative"}, "/home/x/.cache/pynq_ee"),
    ],
)
def test_the_cache_follows_the_users_environment(
    variables: dict[str, str], expected: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folders() == [Path(expected), private(temporary)]
    monkeypatch.setenv("PYNQ_EE_CACHE", "/else")
    assert cache.folders() == [Path("/else")], "what is named has no substitute"


def test_a_cache_that_is_named_may_be_relative_or_in_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYNQ_EE_CACHE", "here")
    assert cache.folders() == [tmp_path / "here"]
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.setenv("PYNQ_EE_CACHE", "~/there")
    assert cache.folders() == [Path("/home/x/there")]
    monkeypatch.setenv("PYNQ_EE_CACHE", "~nobody-of-this-name/there")
    with pytest.raises(ToolError, match=r"set it to a writable directory"):
        cache.folders()


def test_without_a_home_there_is_a_private_folder_unless_somebody_else_could_have_made_it(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert cache.folders() == [private(temporary)] and cache.writable() == private(temporary)
    cache.make(private(temporary))
    assert cache.folders() == [private(temporary)]
    private(temporary).chmod(0o777)
    assert cache.folders() == []
    private(temporary).rmdir()
    private(temporary).symlink_to(temporary)
    assert cache.folders() == []
    with pytest.raises(ToolError, match=r"no cache that can be written .*set PYNQ_EE_CACHE"):
        cache.writable()


def test_a_home_that_cannot_be_written_is_left_out_only_for_writing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/proc")
    assert cache.folders() == [Path("/proc/.cache/pynq_ee"), private(temporary)]
    assert cache.writable() == private(temporary)
    monkeypatch.setenv("PYNQ_EE_CACHE", "/proc/here")
    with pytest.raises(ToolError, match=r"/proc/here: No such file or directory.*set PYNQ_EE_CACHE"):
        cache.writable()
