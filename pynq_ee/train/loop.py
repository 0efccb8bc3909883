"""The training loop: joint loss of all exits, distillation, checkpoints, a progress bar."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from pynq_ee.data.datasets import Digits
from pynq_ee.errors import InputError, ModelFileError, PynqEEError, whole_number
from pynq_ee.files import check_way_out, write_atomically
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec
from pynq_ee.train.augment import distort
from pynq_ee.train.network import EarlyExitNetwork

#: Images that are evaluated at a time.
_EVALUATION_BATCH = 1000

#: Weight of an early exit's loss where the last one's is 1, unless told otherwise.
EARLY_EXIT_WEIGHT = 0.7

#: The remainder that is kept is a running average of the trained one, over about this many last steps (Polyak and
#: Juditsky, 1992), or a fifth of a run that is short. The first exit is not averaged: its integers are either one or
#: the other.
_AVERAGE_STEPS = 1000


@dataclass(frozen=True)
class Settings:
    """What a training run is made of; with the data and the seed, all of it.

    Parameters
    ----------
    network
        A name in :data:`pynq_ee.network.spec.NETWORKS`.
    spec
        The fabric's numbers: widths of the weights, channels of the branch.
    exit_weights
        Weight of each exit's loss in the sum, one for each exit.
    distillation
        Share of an early exit's loss that is its divergence from the last exit's softmax rather than the cross-entropy
        with the label, 0 to 1.
    augmentation
        Strength of the distortion, 0 to 1.
    dropout
        Share of their inputs that the remainder's hidden fully connected layers lose, 0 to below 1.
    epochs, batch, learning_rate, weight_decay, seed
        As usual; AdamW on a one-cycle schedule.
    freeze_first_exit
        Train only the remainder, on a first exit that was trained before: one bitstream then serves both networks.
    """

    network: str
    spec: Spec = field(default_factory=Spec)
    exit_weights: tuple[float, ...] = ()
    distillation: float = 0.9
    augmentation: float = 0.7
    dropout: float = 0.15
    epochs: int = 45
    batch: int = 250
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    seed: int = 0
    freeze_first_exit: bool = False

    def __post_init__(self) -> None:
        if self.network not in _spec.NETWORKS:
            raise InputError(f"network is {self.network!r}; there are {', '.join(_spec.NETWORKS)}")
        exits = _spec.network_exits(self.network)
        if not self.exit_weights:
            object.__setattr__(self, "exit_weights", (EARLY_EXIT_WEIGHT,) * (exits - 1) + (1.0,))
        if len(self.exit_weights) != exits:
            raise InputError(f"{len(self.exit_weights)} exit weights for {exits} exits")
        if not all(0 <= weight < math.inf for weight in self.exit_weights) or not any(self.exit_weights):
            raise InputError(f"exit weights are {self.exit_weights}; each must be finite and 0 or more, one above 0")
        for name, low, high in (
            ("distillation", 0, 1),
            ("augmentation", 0, 1),
            ("dropout", 0, 0.99),
            ("epochs", 1, 10_000),
            ("batch", 2, 100_000),
            ("learning_rate", 1e-8, 10),
            ("weight_decay", 0, 10),
            ("seed", 0, 2**63 - 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} is {getattr(self, name)}; it must be {low} to {high}")

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values; :meth:`from_json` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Settings:
        """Undo :meth:`to_json`."""
        return cls(**{**values, "spec": Spec(**values["spec"]), "exit_weights": tuple(values["exit_weights"])})


def joint_loss(logits: list[Tensor], labels: Tensor, exit_weights: tuple[float, ...], distillation: float) -> Tensor:
    """Weighted sum of the exits' cross-entropies (BranchyNet), the early ones partly replaced by distillation.

    An early exit learns from the last one's softmax as well as from the labels (self-distillation: Zhang et al., *Be
    Your Own Teacher*, ICCV 2019). The last exit is not pulled towards the early ones.
    """
    target = logits[-1].detach().softmax(1)
    total = exit_weights[-1] * functional.cross_entropy(logits[-1], labels)
    for weight, early in zip(exit_weights, logits[:-1]):
        hard = functional.cross_entropy(early, labels)
        soft = functional.kl_div(early.log_softmax(1), target, reduction="batchmean")
        total = total + weight * ((1 - distillation) * hard + distillation * soft)
    return total


def train(
    settings: Settings,
    training: Digits,
    validation: Digits,
    checkpoint: Path,
    *,
    resume: bool = False,
    first_exit: dict[str, Tensor] | None = None,
    report: Callable[[str], None] = tqdm.write,
) -> EarlyExitNetwork:
    """Train a network, leaving a checkpoint after every epoch.

    Parameters
    ----------
    settings, training, validation
        What to train, on what, and what to report on.
    checkpoint
        File of the network and of all that is needed to go on; written to a temporary name and renamed.
    resume
        Go on from the checkpoint, if there is one.
    first_exit
        State of a trained first exit to begin with (and to stay with, if the settings freeze it).
    report
        Takes one line an epoch.

    Raises
    ------
    InputError
        Fewer images than one batch.
    ModelFileError
        A checkpoint to resume that is damaged, or of other settings or another number of images.
    OSError
        The checkpoint cannot be written, found out before the first epoch.
    """
    check_way_out(checkpoint)
    torch.manual_seed(settings.seed)
    network = EarlyExitNetwork(settings.network, settings.spec, settings.dropout)
    if first_exit is not None:
        network.first_exit.load_state_dict(first_exit)
    network.first_exit.requires_grad_(not settings.freeze_first_exit)
    steps = len(training.labels) // settings.batch
    if not steps:
        raise InputError(f"{len(training.labels)} images for batches of {settings.batch}; train on more, or in smaller")
    optimizer = _optimizer(network, settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps * settings.epochs, pct_start=0.15
    )
    decay = 1 - 1 / min(_AVERAGE_STEPS, max(1, steps * settings.epochs / 5))
    averaged = AveragedModel(network.remainder, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    result = EarlyExitNetwork(settings.network, settings.spec)
    result.first_exit, result.remainder = network.first_exit, cast(nn.ModuleDict, averaged.module)
    generator = torch.Generator().manual_seed(settings.seed)
    parts = {"network": network, "averaged": averaged, "optimizer": optimizer, "schedule": schedule}
    epoch = 0
    if resume and checkpoint.exists():
        epoch = _restore(checkpoint, settings, parts, generator)
        report(f"resumed after epoch {epoch} of {settings.epochs}")

    images = torch.from_numpy(training.images.copy())[:, None]
    labels = torch.from_numpy(training.labels.copy())
    # Only a terminal redraws a line: in a notebook or a log the line of each epoch is the progress.
    total_steps = settings.epochs * steps
    with tqdm(total=total_steps, initial=epoch * steps, unit="batch", dynamic_ncols=True, disable=None) as bar:
        while epoch < settings.epochs:
            network.train()
            total = 0.0
            order = torch.randperm(len(labels), generator=generator)
            for rows in order[: steps * settings.batch].split(settings.batch):
                logits = network(distort(images[rows], settings.augmentation, generator))
                loss = joint_loss(logits, labels[rows], settings.exit_weights, settings.distillation)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                averaged.update_parameters(network.remainder)
                total += float(loss.detach())
                bar.update()
            epoch += 1
            accuracies = accuracy(result, validation)
            report(
                f"epoch {epoch:3d}  loss {total / steps:.4f}  validation "
                + "  ".join(f"exit {number} {100 * value:.2f} %" for number, value in enumerate(accuracies, start=1))
            )
            _save(checkpoint, settings, parts, generator, epoch)
    return result


def use_threads(count: int) -> None:
    """Let PyTorch use this many threads, 1 to 1024.

    Raises
    ------
    InputError
        Another number; PyTorch takes what no machine has, and ends the process.
    """
    torch.set_num_threads(whole_number("threads", count, least=1, most=1024))


@torch.no_grad()
def logits_of(network: EarlyExitNetwork, images: np.ndarray) -> list[np.ndarray]:
    """Logits of every exit in evaluation mode, each float32 (N, 10), of images (N, 28, 28)."""
    network.eval()
    batches = torch.from_numpy(images.copy())[:, None].split(_EVALUATION_BATCH)
    parts = [network(batch.to(torch.float32)) for batch in batches]
    return [torch.cat(exit_logits).numpy() for exit_logits in zip(*parts)]


def accuracy(network: EarlyExitNetwork, digits: Digits) -> list[float]:
    """Accuracy of every exit, 0 to 1, each over all images."""
    return [float(np.mean(logits.argmax(1) == digits.labels)) for logits in logits_of(network, digits.images)]


def load_checkpoint(path: Path) -> tuple[Settings, EarlyExitNetwork, int]:
    """Read a checkpoint: settings, network, epochs done. Nothing but tensors and plain values is unpickled.

    Raises
    ------
    ModelFileError
        No such file, or one that is damaged or no checkpoint.
    """
    with _reading(path) as content:
        settings = Settings.from_json(content["settings"])
        network = EarlyExitNetwork(settings.network, settings.spec)
        network.load_state_dict(content["network"])
        averaged = AveragedModel(network.remainder, use_buffers=True)
        averaged.load_state_dict(content["averaged"])
        network.remainder = cast(nn.ModuleDict, averaged.module)
        return settings, network, int(content["epoch"])


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """AdamW; the logarithms of the scales are not drawn towards zero, which is no special value to them."""
    scales = [value for name, value in network.named_parameters() if name.endswith("_log2") and value.requires_grad]
    others = [value for name, value in network.named_parameters() if not name.endswith("_log2") and value.requires_grad]
    groups = [{"params": others, "weight_decay": settings.weight_decay}]
    if scales:
        groups.append({"params": scales, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _save(path: Path, settings: Settings, parts: dict[str, Any], generator: torch.Generator, epoch: int) -> None:
    content = io.BytesIO()
    torch.save(
        {
            "settings": settings.to_json(),
            **{name: part.state_dict() for name, part in parts.items()},
            "generator": generator.get_state(),
            "dropout_generator": torch.get_rng_state(),
            "epoch": epoch,
        },
        content,
    )
    write_atomically(path, content.getvalue())


@contextmanager
def _reading(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a checkpoint; whatever is found wrong with it, here or by the caller, is one error."""
    try:
        yield torch.load(path, weights_only=True)
    except PynqEEError:
        raise
    except FileNotFoundError as error:
        raise ModelFileError(f"no checkpoint {path}; `pynq-ee train` makes one") from error
    except Exception as error:  # torch raises what its unpickler, and a wrong content, meet
        raise ModelFileError(f"{path} is damaged or no checkpoint ({type(error).__name__}: {error})") from error


def _restore(path: Path, settings: Settings, parts: dict[str, Any], generator: torch.Generator) -> int:
    with _reading(path) as content:
        if Settings.from_json(content["settings"]) != settings:
            raise ModelFileError(f"{path} was trained with other settings; give the same, or another --output")
        if content["schedule"]["total_steps"] != parts["schedule"].total_steps:
            raise ModelFileError(f"{path} was trained on another number of images; give the same, or another --output")
        for name, part in parts.items():
            part.load_state_dict(content[name])
        generator.set_state(content["generator"])
        torch.set_rng_state(content["dropout_generator"])
        return int(content["epoch"])
