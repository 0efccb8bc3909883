"""The network that is trained is bit for bit the one that is built, and training can be interrupted at any epoch."""

from __future__ import annotations

import dataclasses
import math
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import models

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install 'pynq_ee[train]'")
pytest.importorskip("tqdm", reason="training needs tqdm: pip install 'pynq_ee[train]'")

from pynq_ee import remainder  # noqa: E402
from pynq_ee.commands import cli  # noqa: E402
from pynq_ee.data import datasets  # noqa: E402
from pynq_ee.data.datasets import Digits  # noqa: E402
from pynq_ee.errors import InputError, ModelFileError  # noqa: E402
from pynq_ee.network import fabric, weights  # noqa: E402
from pynq_ee.network.post_training import quantize  # noqa: E402
from pynq_ee.network.spec import NETWORKS, Spec  # noqa: E402
from pynq_ee.network.weights import build_id  # noqa: E402
from pynq_ee.train import augment, loop  # noqa: E402
from pynq_ee.train.export import to_float_model  # noqa: E402
from pynq_ee.train.loop import Settings, joint_loss, load_checkpoint, logits_of, train  # noqa: E402
from pynq_ee.train.network import EarlyExitNetwork  # noqa: E402
from pynq_ee.train.quantizers import fake_quantize, round_half_up  # noqa: E402

SMALL = Spec(branch_channels=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads, much slower where those are shared."""
    threads = torch.get_num_threads()
    loop.use_threads(1)
    yield
    loop.use_threads(threads)


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**30])
def test_a_number_of_threads_that_cannot_be_is_refused(threads: int) -> None:
    with pytest.raises(InputError, match=rf"threads is {threads}; it must be a whole number, 1 to 1024"):
        loop.use_threads(threads)


def silent(line: str) -> None:
    """Takes a training report."""


@pytest.fixture(scope="module")
def digits() -> Digits:
    """Sixty made-up digits that can be learnt: bars in ten places, with noise."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 10
    images = random.integers(0, 40, (60, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels):
        image[2 * label + 4 : 2 * label + 8, 4:24] = 255
    return Digits(images, labels.astype(np.int64), "made up")


def quick(network: str = "lenet5-2exit", **changes: Any) -> Settings:
    """Settings of a run that takes a moment."""
    return Settings(**{"network": network, "spec": SMALL, "epochs": 3, "batch": 20, "learning_rate": 1e-2, **changes})


def state_of(network: EarlyExitNetwork) -> dict[str, np.ndarray]:
    """Copies of all parameters and buffers."""
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def same_state(one: EarlyExitNetwork, other: EarlyExitNetwork) -> bool:
    """Whether two networks are equal to the last bit."""
    a, b = state_of(one), state_of(other)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_without_a_terminal_the_lines_of_the_epochs_are_all_the_progress(
    digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    train(quick(epochs=2), digits, digits, tmp_path / "network.pt")
    printed = capsys.readouterr()
    assert [line.split()[:2] for line in printed.out.splitlines()] == [["epoch", "1"], ["epoch", "2"]]
    assert "batch" not in printed.err


# The float network is the integer one ---------------------------------------------------------------------------------


@given(st.integers(-(2**20), 2**20), st.integers(0, 20))
def test_rounding_is_the_circuits(value: int, shift: int) -> None:
    scaled = torch.tensor(value * 2.0**-shift, dtype=torch.float32)
    assert int(round_half_up(scaled)) == math.floor(value / 2**shift + 0.5)


def test_rounding_lets_the_gradient_through_and_clipping_stops_it() -> None:
    values = torch.tensor([-3.0, 0.2, 0.7, 9.0], requires_grad=True)
    fake_quantize(values, torch.tensor(0.5), 0, 7).sum().backward()
    assert values.grad.tolist() == [0, 1, 1, 0]


def scramble(network: EarlyExitNetwork, random: np.random.Generator) -> None:
    """Other scales, biases and weights than those of a fresh network, over several powers of two each."""
    with torch.no_grad():
        for name, value in network.first_exit.named_parameters():
            noise = torch.from_numpy(random.normal(size=value.shape).astype(np.float32))
            value += noise * (1.5 if name.endswith("_log2") else float(value.abs().mean()))


@settings(max_examples=60)
@given(st.sampled_from(models.SPECS), st.integers(0, 10**6), st.booleans())
def test_the_trained_network_is_bit_for_bit_the_one_that_is_built(spec: Spec, seed: int, scrambled: bool) -> None:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = EarlyExitNetwork("lenet5-2exit", spec).eval()
    if scrambled:
        scramble(network, random)
    try:
        model = to_float_model(network, {})
        quantize(model, np.zeros((1, 28, 28), np.uint8))
    except ModelFileError as error:  # sums that the fabric does not hold, which no training may lead to unseen
        assert scrambled and "accumulates" in str(error)
        reject()
    images = random.integers(0, 256, (3, 28, 28)).astype(np.uint8)
    images[0, seed % 28 :] = 0
    with torch.no_grad():
        features, logits = network.first_exit(torch.from_numpy(images)[:, None].float())
    expected_features, expected_logits = fabric.first_exit(images, quantize(model, images))
    assert np.array_equal(features.numpy() / 2.0**model.feature_exponent, expected_features)
    assert np.array_equal(logits.numpy() / 2.0**model.logit_exponent, expected_logits)


def test_logits_beyond_16_bits_saturate_in_training_too() -> None:
    network = EarlyExitNetwork("lenet5-2exit", SMALL).eval()
    with torch.no_grad():
        network.first_exit.classifier.bias[0], network.first_exit.classifier.bias[1] = 30.0, -30.0
        network.first_exit.classifier.weight_log2 -= 6
    images = np.full((1, 28, 28), 255, np.uint8)
    model = to_float_model(network, {})
    logits = logits_of(network, images)[0] / 2.0**model.logit_exponent
    assert logits[0, :2].tolist() == [32767, -32768]
    assert np.array_equal(logits, fabric.first_exit(images, quantize(model, images))[1])


@pytest.mark.parametrize("network_name", NETWORKS)
def test_every_exit_of_a_trained_network_survives_the_export(network_name: str, digits: Digits, tmp_path: Path) -> None:
    """The first exit exactly; the others, whose remainder is put in integers, to within what seven bits lose."""
    network = train(quick(network_name), digits, digits, tmp_path / "c.pt", report=silent)
    model = weights.load(
        weights.save(quantize(to_float_model(network, {"made": "by a test"}), digits.images), tmp_path / "m.npz")
    )
    assert model.thresholds == (0.0,) * (model.exits - 1) and model.metadata == {"made": "by a test"}
    expected = logits_of(network, digits.images)
    features, logits = fabric.first_exit(digits.images, model)
    assert np.array_equal(logits * np.float32(2.0 ** model.logit_exponents[0]), expected[0])
    hidden = features
    for stage, exponent, reference in zip(
        remainder.stages("numpy", model), model.logit_exponents[1:], expected[1:], strict=True
    ):
        hidden, found = stage(hidden)
        assert np.abs(found * 2.0**exponent - reference).max() <= 0.05 * np.abs(reference).max()


def test_exporting_changes_nothing_in_the_network() -> None:
    network = EarlyExitNetwork("lenet5-3exit", SMALL)
    before = state_of(network)
    to_float_model(network, {})
    after = state_of(network)
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("first_exit.trunk.bias", math.nan, "first_exit.trunk.bias is not finite: the training has diverged"),
        ("remainder.fc1.norm.running_var", math.inf, "has diverged"),
        ("first_exit.trunk.bias", 1e9, "trunk"),
        ("first_exit.trunk.weight_log2", -120.0, "trunk"),
        ("first_exit.trunk.weight_log2", -260.0, "trunk"),
        ("first_exit.trunk.output_log2", 100.0, "trunk|exponent"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@torch.no_grad()
def test_what_the_circuit_cannot_hold_is_refused_and_never_wrapped(name: str, value: float, message: str) -> None:
    network = EarlyExitNetwork("lenet5-2exit", SMALL)
    network.state_dict()[name].fill_(value)
    with pytest.raises(ModelFileError, match=message):
        quantize(to_float_model(network, {}), np.zeros((1, 28, 28), np.uint8))


# Training ------------------------------------------------------------------------------------------------------------


def test_training_learns_and_reports_every_epoch(digits: Digits, tmp_path: Path) -> None:
    lines: list[str] = []
    network = train(
        quick(epochs=15, augmentation=0.0, distillation=0.2), digits, digits, tmp_path / "c.pt", report=lines.append
    )
    assert len(lines) == 15 and lines[-1].startswith("epoch  15  loss ")
    assert "exit 1" in lines[-1] and "exit 2" in lines[-1]
    assert min(loop.accuracy(network, digits)) > 0.8


@pytest.mark.parametrize("network_name", NETWORKS)
def test_the_same_seed_gives_the_same_network_and_another_one_another(
    network_name: str, digits: Digits, tmp_path: Path
) -> None:
    runs = [
        train(quick(network_name, seed=seed, epochs=1), digits, digits, tmp_path / f"{number}.pt", report=silent)
        for number, seed in enumerate((4, 4, 5))
    ]
    assert same_state(runs[0], runs[1]) and not same_state(runs[0], runs[2])


class Interrupted(Exception):
    """The power fails."""


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    epoch: int, digits: Digits, tmp_path: Path
) -> None:
    whole = train(quick(), digits, digits, tmp_path / "whole.pt", report=silent)

    def fail_after(line: str) -> None:
        if line.startswith(f"epoch {epoch + 1:3d}"):
            raise Interrupted  # the epoch is done but not yet saved

    path = tmp_path / "parts.pt"
    with pytest.raises(Interrupted):
        train(quick(), digits, digits, path, report=fail_after)
    assert load_checkpoint(path)[2] == epoch
    torch.manual_seed(999)  # nothing of the process's own state may matter
    lines: list[str] = []
    resumed = train(quick(), digits, digits, path, resume=True, report=lines.append)
    assert lines[0] == f"resumed after epoch {epoch} of 3" and len(lines) == 1 + 3 - epoch
    assert same_state(whole, resumed)
    assert same_state(load_checkpoint(path)[1], resumed)


def test_resuming_a_finished_run_changes_nothing(digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    done = train(quick(epochs=1), digits, digits, path, report=silent)
    before = path.read_bytes()
    again = train(quick(epochs=1), digits, digits, path, resume=True, report=silent)
    assert same_state(done, again) and path.read_bytes() == before


def test_without_resume_a_checkpoint_is_begun_anew(digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    first = train(quick(epochs=1), digits, digits, path, report=silent)
    second = train(quick(epochs=1), digits, digits, path, report=silent)
    assert same_state(first, second)


def test_resume_without_a_checkpoint_begins(digits: Digits, tmp_path: Path) -> None:
    train(quick(epochs=1), digits, digits, tmp_path / "c.pt", resume=True, report=silent)
    assert load_checkpoint(tmp_path / "c.pt")[2] == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 4}, {"spec": Spec()}, {"exit_weights": (1.0, 2.0)}])
def test_a_checkpoint_of_other_settings_is_not_resumed(change: dict, digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train(quick(epochs=1), digits, digits, path, report=silent)
    with pytest.raises(ModelFileError, match=r"trained with other settings"):
        train(dataclasses.replace(quick(epochs=1), **change), digits, digits, path, resume=True, report=silent)


def test_a_checkpoint_of_another_number_of_images_is_not_resumed(digits: Digits, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train(quick(epochs=1), digits, digits, path, report=silent)
    fewer = Digits(digits.images[:40], digits.labels[:40], "fewer")
    with pytest.raises(ModelFileError, match=r"another number of images"):
        train(quick(epochs=1), fewer, digits, path, resume=True, report=silent)


def test_fewer_images_than_a_batch_are_refused(digits: Digits, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"60 images for batches of 61"):
        train(quick(batch=61), digits, digits, tmp_path / "c.pt", report=silent)


def test_a_frozen_first_exit_stays_to_the_bit_and_the_bitstream_serves_both_networks(
    digits: Digits, tmp_path: Path
) -> None:
    two = train(quick(), digits, digits, tmp_path / "two.pt", report=silent)
    settings = quick("lenet5-3exit", freeze_first_exit=True, weight_decay=0.5, seed=8)
    taken = load_checkpoint(tmp_path / "two.pt")[1].first_exit.state_dict()
    three = train(settings, digits, digits, tmp_path / "three.pt", first_exit=taken, report=silent)
    for name, value in two.first_exit.state_dict().items():
        assert torch.equal(value, three.first_exit.state_dict()[name]), name
    one, other = to_float_model(two, {}), to_float_model(three, {})
    assert build_id(one.spec, one.fabric) == build_id(other.spec, other.fabric)
    assert not np.array_equal(one.remainder["fc3"].weight, other.remainder["fc3"].weight)


def test_a_first_exit_that_is_not_frozen_is_only_where_training_begins(digits: Digits, tmp_path: Path) -> None:
    two = train(quick(epochs=1), digits, digits, tmp_path / "two.pt", report=silent)
    again = train(
        quick(epochs=1, seed=3),
        digits,
        digits,
        tmp_path / "again.pt",
        first_exit=two.first_exit.state_dict(),
        report=silent,
    )
    assert not torch.equal(two.first_exit.trunk.weight, again.first_exit.trunk.weight)


# Checkpoints ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a quick run."""
    path = tmp_path_factory.mktemp("checkpoint") / "c.pt"
    train(quick(epochs=1), digits, digits, path, report=silent)
    return path


def refused(path: Path, digits: Digits) -> None:
    """A checkpoint that neither loads nor resumes, each with an error that names it."""
    for use in (
        lambda: load_checkpoint(path),
        lambda: train(quick(epochs=1), digits, digits, path, resume=True, report=silent),
    ):
        with pytest.raises(ModelFileError, match=path.name):
            use()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"no checkpoint",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-100],
        lambda content: content[:5000] + bytes(5000) + content[10_000:],
    ],
    ids=["empty", "text", "half", "tail", "hole"],
)
def test_a_damaged_checkpoint_is_refused(checkpoint: Path, digits: Digits, tmp_path: Path, damage: Callable) -> None:
    path = tmp_path / "damaged.pt"
    path.write_bytes(damage(checkpoint.read_bytes()))
    refused(path, digits)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: [1, 2],
        lambda content: {key: value for key, value in content.items() if key != "settings"},
        lambda content: {key: value for key, value in content.items() if key != "network"},
        lambda content: content | {"settings": {"network": "lenet5-2exit"}},
        lambda content: content | {"settings": {**content["settings"], "colour": 1}},
        lambda content: content | {"network": {}},
        lambda content: content | {"epoch": "one"},
    ],
    ids=["list", "no settings", "no network", "few settings", "more settings", "no weights", "no number"],
)
def test_a_checkpoint_of_another_content_is_refused(
    checkpoint: Path, digits: Digits, tmp_path: Path, change: Callable
) -> None:
    path = tmp_path / "changed.pt"
    torch.save(change(torch.load(checkpoint, weights_only=True)), path)
    refused(path, digits)


@pytest.mark.parametrize("part", ["optimizer", "schedule", "generator"])
def test_a_checkpoint_without_its_training_state_still_loads_but_does_not_resume(
    checkpoint: Path, digits: Digits, tmp_path: Path, part: str
) -> None:
    path = tmp_path / "changed.pt"
    content = torch.load(checkpoint, weights_only=True)
    del content[part]
    torch.save(content, path)
    with pytest.raises(ModelFileError, match=r"damaged or no checkpoint"):
        train(quick(epochs=1), digits, digits, path, resume=True, report=silent)
    assert load_checkpoint(path)[2] == 1


def test_a_missing_checkpoint_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no checkpoint .*none\.pt; `pynq-ee train` makes one"):
        load_checkpoint(tmp_path / "none.pt")


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.proof),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_nothing_in_a_checkpoint_is_executed(checkpoint: Path, digits: Digits, tmp_path: Path) -> None:
    proof, path = tmp_path / "proof", tmp_path / "evil.pt"
    torch.save(torch.load(checkpoint, weights_only=True) | {"epoch": Payload(proof)}, path)
    refused(path, digits)
    path.write_bytes(pickle.dumps(Payload(proof)))
    refused(path, digits)
    assert not proof.exists()


# Settings, loss, distortion ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "lenet6"}, "network is 'lenet6'"),
        ({"exit_weights": (1.0,)}, "1 exit weights for 2 exits"),
        ({"exit_weights": (1.0, -1.0)}, "exit weights are"),
        ({"exit_weights": (math.nan, 1.0)}, "exit weights are"),
        ({"exit_weights": (0.0, 0.0)}, "one above 0"),
        ({"distillation": 1.1}, "distillation is 1.1; it must be 0 to 1"),
        ({"augmentation": -0.1}, "augmentation is -0.1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 1}, "batch is 1"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"weight_decay": math.inf}, "weight_decay is inf"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_outside_their_range_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick(**change)


def test_settings_come_back_from_json_equal() -> None:
    for one in (quick(), quick("lenet5-3exit", exit_weights=(0.5, 1.0, 2.0), freeze_first_exit=True)):
        assert Settings.from_json(one.to_json()) == one
        assert len(one.exit_weights) == len(NETWORKS[one.network]) + 1


def test_without_distillation_the_loss_is_the_weighted_sum_of_cross_entropies() -> None:
    torch.manual_seed(0)
    logits, labels = [torch.randn(8, 10) for _ in range(3)], torch.arange(8)
    expected = sum(
        weight * torch.nn.functional.cross_entropy(exit_logits, labels)
        for weight, exit_logits in zip((0.5, 1.0, 2.0), logits)
    )
    assert float(joint_loss(logits, labels, (0.5, 1.0, 2.0), 0.0)) == pytest.approx(float(expected), rel=1e-6)


def test_distillation_draws_the_early_exits_to_the_last_and_not_the_last_to_them() -> None:
    early, last = torch.randn(8, 10, requires_grad=True), torch.randn(8, 10, requires_grad=True)
    labels = torch.arange(8)
    joint_loss([early, last], labels, (1.0, 1.0), 1.0).backward()
    alone = last.detach().clone().requires_grad_()
    torch.nn.functional.cross_entropy(alone, labels).backward()
    assert torch.allclose(last.grad, alone.grad) and early.grad.abs().sum() > 0
    same = last.detach().clone().requires_grad_()
    joint_loss([same, last], labels, (1.0, 0.0), 1.0).backward()
    assert same.grad.abs().max() < 1e-6, "an early exit that agrees is left alone"


def test_distorted_digits_are_pixels_of_the_same_seed(digits: Digits) -> None:
    images = torch.from_numpy(digits.images)[:, None]
    one, same, other = (augment.distort(images, 1.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == images.shape and one.dtype == torch.float32
    assert torch.equal(one, one.round()) and one.min() >= 0 and one.max() <= 255
    assert not torch.equal(one, images.float())


def test_a_distortion_of_no_strength_changes_nothing(digits: Digits) -> None:
    images = torch.from_numpy(digits.images)[:, None]
    assert torch.equal(augment.distort(images, 0.0, torch.Generator()), images.float())


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_a_distorted_digit_keeps_its_place_about_the_middle(strength: float) -> None:
    """Shifts are at most 2.5 pixels, and a blob in the middle is turned about itself."""
    images = torch.zeros(200, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 12:16, 12:16] = 255
    result = augment.distort(images, strength, torch.Generator().manual_seed(0))
    places = torch.arange(28) + 0.5
    mass = result.sum((1, 2, 3))
    for axis in (2, 3):
        centre = (result.sum((1, 5 - axis)) * places).sum(1) / mass
        assert (centre - 14).abs().max() <= 2.5 * strength * 1.25 + 0.1
    assert ((mass / (16 * 255)).log().abs() < 0.8 * strength + 0.1).all()


# The commands --------------------------------------------------------------------------------------------------------


@pytest.fixture
def made_up_mnist(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up digits in place of every split."""
    monkeypatch.setattr(datasets, "load", lambda split: digits)


def test_train_and_export_make_a_model_file(
    made_up_mnist: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], digits: Digits
) -> None:
    two, three, file = tmp_path / "two.pt", tmp_path / "three.pt", tmp_path / "three.npz"
    common = ["--epochs", "1", "--batch", "20", "--threads", str(torch.get_num_threads())]
    assert cli.main(["train", "--output", str(two), "--branch-channels", "4", "--exit-weights", "1,2", *common]) == 0
    assert f"pynq-ee export {two}" in capsys.readouterr().out
    taken, network, epochs = load_checkpoint(two)
    assert (taken.spec, taken.exit_weights, epochs) == (Spec(branch_channels=4), (1.0, 2.0), 1)
    arguments = ["train", "--output", str(three), "--network", "lenet5-3exit", "--first-exit", str(two), *common]
    assert cli.main(arguments) == 0
    assert cli.main(["export", str(three), "--output", str(file)]) == 0
    assert "no image leaves early yet; next: pynq-ee calibrate" in capsys.readouterr().out
    model = weights.load(file)
    assert model.network == "lenet5-3exit" and model.build_id == build_id(
        network.spec, to_float_model(network, {}).fabric
    )
    assert model.metadata["training"]["epochs_done"] == 1 and model.metadata["training"]["freeze_first_exit"]


def test_train_resumes_what_is_there(made_up_mnist: None, tmp_path: Path) -> None:
    arguments = [
        "train",
        "--output",
        str(tmp_path / "c.pt"),
        "--epochs",
        "1",
        "--batch",
        "20",
        "--branch-channels",
        "2",
    ]
    assert cli.main(arguments) == 0
    before = (tmp_path / "c.pt").read_bytes()
    assert cli.main([*arguments, "--resume"]) == 0
    assert (tmp_path / "c.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--branch-channels", "17"], "branch_channels is 17; it must be 1 to 16"),
        (["--epochs", "0"], "epochs is 0"),
        (["--threads", "0"], "threads is 0; it must be"),
        (["--exit-weights", "1"], "1 exit weights for 2 exits"),
        (["--first-exit", "none.pt"], "no checkpoint none.pt"),
        (["--batch", "100"], "60 images for batches of 100"),
    ],
)
def test_train_refuses_wrong_options_in_one_line(
    made_up_mnist: None, tmp_path: Path, arguments: list, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--output", str(tmp_path / "c.pt"), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("pynq-ee train: ")
    assert not list(tmp_path.iterdir())


def test_the_sample_is_split_without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    from pynq_ee.commands.train import sample_split

    labels = np.repeat(np.arange(10), 500)
    images = np.zeros((5000, 28, 28), np.uint8)
    images.reshape(5000, -1)[:, :2] = np.stack([np.arange(5000) % 256, np.arange(5000) // 256], 1)
    monkeypatch.setattr(datasets, "load", lambda split: Digits(images, labels, split))
    training, held = sample_split()
    for part, of_each in ((training, 400), (held, 100)):
        assert np.unique(part.labels, return_counts=True)[1].tolist() == [of_each] * 10
    numbers = [{image.tobytes() for image in part.images} for part in (training, held)]
    assert not numbers[0] & numbers[1] and len(numbers[0] | numbers[1]) == 5000
