"""Files that are whole or not there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import pynq_ee
from pynq_ee.files import check_way_out, write_atomically

ROOT = Path(pynq_ee.__file__).parents[1]


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a" / "b.bin", b"content")
    assert path == tmp_path / "a" / "b.bin" and path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_content_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomically(tmp_path / "f", b"old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_the_systems_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file" / "x", b"")


# What is there already ------------------------------------------------------------------------------------------------


def test_a_new_file_has_the_permissions_of_the_umask_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        path = write_atomically(tmp_path / "f", b"old")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("target", ["real", "folder/real", "../{}/real"])
def test_a_link_is_followed_also_to_a_file_that_is_not_there_yet(tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target.format(tmp_path.name))
    (tmp_path / "again").symlink_to("link")
    for content in (b"first", b"second"):
        check_way_out(tmp_path / "again")
        write_atomically(tmp_path / "again", content)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "again").is_symlink()
        assert (tmp_path / "again").resolve().read_bytes() == content


def test_all_names_of_a_file_show_the_new_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old and longer")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    check_way_out(tmp_path / "b")
    write_atomically(tmp_path / "b", b"new")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"new"


def test_a_device_stays_a_device() -> None:
    before = Path("/dev/null").stat()
    check_way_out("/dev/null")
    write_atomically("/dev/null", b"gone")
    after = Path("/dev/null").stat()
    assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode, after.st_rdev)
    with pytest.raises(OSError, match="No space left"):
        write_atomically("/dev/full", b"x")


def test_a_pipe_is_written_to_and_the_check_does_not_wait_for_its_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_way_out(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through" and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    os.close(reader)


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
def test_standard_output_is_written_where_it_stands_also_into_a_file(tmp_path: Path, name: str) -> None:
    program = (
        "import sys; from pynq_ee.files import *; print('before'); check_way_out(sys.argv[1]); "
        "write_atomically(sys.argv[1], b'content\\n'); print('after')"
    )
    with (tmp_path / "captured").open("wb") as captured:
        subprocess.run([sys.executable, "-c", program, name], stdout=captured, check=True, cwd=ROOT)
    assert (tmp_path / "captured").read_text() == "before\ncontent\nafter\n"
    piped = subprocess.run([sys.executable, "-c", program, name], capture_output=True, check=True, cwd=ROOT)
    assert piped.stdout == b"before\ncontent\nafter\n" and list(tmp_path.iterdir()) == [tmp_path / "captured"]


@pytest.mark.parametrize(
    "character", [" ", "$", "#", "%", ":", "'", '"', "\n", "ü", "\udcff", "-", "\\", "*"], ids=ascii
)
def test_any_name_can_be_written(tmp_path: Path, character: str) -> None:
    path = tmp_path / f"{character}a{character}" / f"{character}b{character}.png"
    check_way_out(path)
    assert not path.parent.exists()
    assert write_atomically(path, b"content").read_bytes() == b"content"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# What cannot be ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hopeless(tmp_path: Path) -> dict[str, Path]:
    """Places that nothing can be written to, not even by root."""
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    return {
        "a folder": tmp_path,
        "below a file": tmp_path / "file" / "x" / "y.png",
        "a loop": tmp_path / "loop",
        "below a loop": tmp_path / "loop" / "x.png",
        "a socket": tmp_path / "socket",
        "where files cannot be": Path("/proc/none.png"),
        "a folder of it": Path("/proc/none/x.png"),
        "a long name": tmp_path / ("x" * 300),
        "nothing": Path(),
    }


@pytest.mark.parametrize(
    "what",
    [
        "a folder",
        "below a file",
        "a loop",
        "below a loop",
        "a socket",
        "where files cannot be",
        "a folder of it",
        "a long name",
        "nothing",
    ],
)
def test_what_cannot_be_written_is_found_out_before(hopeless: dict[str, Path], tmp_path: Path, what: str) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError) as checked:
        check_way_out(hopeless[what])
    with pytest.raises(OSError) as written:
        write_atomically(hopeless[what], b"content")
    assert checked.value.strerror and sorted(tmp_path.iterdir()) == before
    assert written.value.errno == checked.value.errno


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_another_users_folder_and_a_file_that_is_protected_are_found_out_before(public: Path) -> None:
    """As a user who is not root, where this is root."""
    (public / "protected").write_bytes(b"old")
    (public / "protected").chmod(0o444)
    (public / "closed").mkdir()
    (public / "closed" / "open").write_bytes(b"old and longer")
    (public / "closed" / "open").chmod(0o666)
    (public / "closed").chmod(0o555)
    program = f"""
import os, sys; sys.path.insert(0, {str(ROOT)!r})
from pynq_ee.files import check_way_out, write_atomically
if os.geteuid() == 0: os.setuid(54321)
for name in ("protected", "closed/x", "closed/new/x"):
    for function in (check_way_out, lambda name: write_atomically(name, b"x")):
        try: function(name)
        except PermissionError as error: continue
        sys.exit(name)
check_way_out("closed/open")
write_atomically("closed/open", b"new")
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=public)
    assert (public / "protected").read_bytes() == b"old"
    assert (public / "closed" / "open").read_bytes() == b"new"
