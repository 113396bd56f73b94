"""One epoch of training, and the loss on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opforge.errors import WorkError
from opforge.training.normalisation import Normaliser
from opforge.training.norms import Loss
from opforge.training.options import Optimiser, plain
from opforge.training.progress import Bar
from opforge.training.samples import Samples
from opforge.training.state import Weights
from opforge.training.symmetry import Augmentation


def seed_of(seed: int, epoch: int) -> int:
    """The seed of an epoch's random numbers: epochs are independent, and any of them can be the first of a process."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class Trainer:
    """What stays the same over the epochs of a run, see `opforge.training.fit`."""

    train: Samples
    held_out: Samples | None
    normaliser: Normaliser
    augmentation: Augmentation
    weights: Weights
    loss: Loss
    optimiser: Optimiser
    epochs: int
    batch_size: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-len(self.train) // self.batch_size)

    def describe(self) -> dict[str, Any]:
        """The options of the run as plain JSON values."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "loss": plain(self.loss),
            "optimiser": plain(self.optimiser),
            "symmetries": self.augmentation.names,
            "samples": len(self.train),
            "held_out": 0 if self.held_out is None else len(self.held_out),
        }

    def rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step (from 0) of an epoch (from 1)."""
        return self.optimiser.rate((epoch - 1) * self.steps + step, self.epochs * self.steps)

    def train_epoch(self, epoch: int, bar: Bar) -> float:
        """Go once through the training samples; returns the mean loss over them, as they were seen."""
        device = self.weights.device
        model, adamw, average = self.weights.model.train(), self.weights.adamw, self.weights.average
        trainable = [p for group in adamw.param_groups for p in group["params"]]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed_of(self.seed, epoch))
            order = self.train.order()
            coins = (torch.rand(self.steps, len(self.augmentation.symmetries)) < 0.5).tolist()
            batches = order.split(self.batch_size)
            seen = _Losses(batches, epoch, device)
            for step, pair in enumerate(self.train.batches(batches)):
                x, y = self.augmentation(*pair, coins[step])
                for group in adamw.param_groups:
                    group["lr"] = self.rate(epoch, step)
                adamw.zero_grad(set_to_none=True)
                loss = self.loss(self.normaliser.decode(model(self.normaliser.encode(x))), y)
                loss.backward()
                if self.optimiser.clip is not None:
                    torch.nn.utils.clip_grad_norm_(trainable, self.optimiser.clip)
                adamw.step()
                if average is not None:
                    average.update_parameters(model)
                if seen.add(step, loss, self.train):
                    bar.at(epoch=epoch, step=step + 1, train=seen.mean)
        return seen.mean

    def validate(self) -> float | None:
        """The mean loss over the held-out samples; None if there are none."""
        if self.held_out is None:
            return None
        model = self.weights.final.eval()
        total = 0.0
        with torch.no_grad():
            batches = torch.arange(len(self.held_out)).split(self.batch_size)
            for batch, (x, y) in zip(batches, self.held_out.batches(batches), strict=True):
                loss = float(self.loss(self.normaliser.decode(model(self.normaliser.encode(x))), y))
                if not np.isfinite(loss):
                    self.held_out.refuse_non_finite(batch, x, y)
                    samples = ", ".join(str(self.held_out.indices[int(i)]) for i in batch)
                    raise WorkError(f"the validation loss is {loss} (samples {samples}); lower the learning rate")
                total += loss * len(batch)
        return total / len(self.held_out)


class _Losses:
    """The losses of an epoch's steps, looked at now and then: each look waits for the device."""

    def __init__(self, batches: tuple[Tensor, ...], epoch: int, device: torch.device) -> None:
        self.batches, self.epoch = batches, epoch
        self.kept = torch.zeros(len(batches), device=device)
        self.every = 1 if device.type == "cpu" else 16
        self.count, self.total, self.samples = 0, 0.0, 0

    @property
    def mean(self) -> float:
        """Mean over the samples looked at."""
        return self.total / self.samples

    def add(self, step: int, loss: Tensor, train: Samples) -> bool:
        """Keep a step's loss. True if this was a look; a WorkError if one was not finite."""
        self.kept[step] = loss.detach()
        if (step + 1) % self.every and step + 1 < len(self.batches):
            return False
        for value in self.kept[self.count : step + 1].tolist():
            batch = self.batches[self.count]
            if not np.isfinite(value):
                samples = ", ".join(str(train.indices[int(i)]) for i in batch)
                raise WorkError(
                    f"the loss of epoch {self.epoch}, step {self.count + 1} is {value} (samples {samples}); "
                    "lower the learning rate, or look at these samples"
                )
            self.count += 1
            self.total += value * len(batch)
            self.samples += len(batch)
        return True
