"""`fit`: training an operator, as one explicit loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from opforge.errors import InputError, WorkError
from opforge.training.checkpoint import pick_device
from opforge.training.loop import Trainer, seed_of
from opforge.training.metrics import check_measurable, evaluate
from opforge.training.normalisation import Normaliser
from opforge.training.norms import Loss, RelativeLp
from opforge.training.operator import Operator
from opforge.training.options import Optimiser
from opforge.training.progress import Bar
from opforge.training.record import Record, claim
from opforge.training.run import Run
from opforge.training.samples import Samples
from opforge.training.state import Weights
from opforge.training.symmetry import Augmentation

# Data below this size are read once and kept where the model computes; larger ones are read batch by batch.
HOLD_BELOW = 2**31

_LEAST = {"epochs": 1, "batch_size": 1, "seed": 0}


def fit(
    model: nn.Module,
    data: Any,
    epochs: int,
    *,
    loss: Loss | None = None,
    optimiser: Optimiser | None = None,
    batch_size: int = 20,
    validation: Any = None,
    symmetries: Sequence[Any] | Literal["auto"] | None = "auto",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = True,
) -> Run:
    """Train a model on pairs of fields, in place.

    Each epoch goes once through the samples in an order given by (seed, epoch) and minimises

        loss(decode(model(encode(x))), y)

    with AdamW, where encode and decode are the `Normaliser` of the training samples. Random numbers that the model
    draws itself (dropout) also follow from (seed, epoch); the caller's generators are left as they were.

    Args:
        model: (batch, in_channels, *space) -> (batch, out_channels, *space). Its initial weights are the caller's.
        data: torch dataset of (x, y), x (in_channels, *space), y (out_channels, *space), physical values. Its
            attributes ``batch``, ``inputs``, ``outputs``, ``grid``, ``equation``, ``provenance`` are used when present.
        epochs: passes through the data, >= 1.
        loss: (prediction, truth) -> scalar, on physical values; `RelativeLp` (2) unless given. One that takes a grid
            and has none gets the data's.
        optimiser: learning rate, its schedule, weight decay, clipping, averaging of the weights; see `Optimiser`.
        batch_size: samples per step, >= 1; the last batch of an epoch may be smaller.
        validation: dataset to measure the loss on after each epoch, or a fraction in (0, 1) of ``data`` to hold out.
        symmetries: maps that take solutions to solutions; each is applied with probability ½ per batch to inputs and
            outputs together. "auto": those of ``data.equation`` that apply to ``data.grid``. None: none.
        out: run folder for the checkpoint, the log ``history.jsonl``, the validation errors ``metrics.json`` and the
            state to resume from; None writes nothing.
        resume: go on after the last finished epoch in ``out``; on a CPU the result is bit-identical to a run that was
            never stopped.
        overwrite: replace a run that is in ``out``.
        seed: of the order of the samples, the symmetries and the held-out part, >= 0.
        device: "auto" (cuda where there is one, else cpu), "cpu", "cuda", ...
        progress: show a bar with the errors and the time left on standard error.

    Returns:
        The `Run`: ``operator``, ``history``, ``folder``.

    Raises:
        InputError: arguments that do not fit each other, values that are not finite, a run that is in ``out`` already.
        WorkError: a loss that is not finite; the text names the samples of the batch.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> a = torch.rand(40, 1, 16)
        >>> options = {"optimiser": Optimiser(learning_rate=0.1), "batch_size": 4, "progress": False}
        >>> run = fit(nn.Conv1d(1, 1, 1), TensorDataset(a, 3 * a + 1), epochs=20, **options)
        >>> run.history[-1]["train_loss"] < 0.05
        True
    """
    loss, optimiser = loss or RelativeLp(2), optimiser or Optimiser()
    if not callable(loss):
        raise InputError(f"loss: expected a function of (prediction, truth) such as RelativeLp(2), got {loss!r}")
    if not isinstance(optimiser, Optimiser):
        raise InputError(f"optimiser: expected opforge.training.Optimiser(...), got {optimiser!r}")
    folder = claim(out, resume=resume, overwrite=overwrite)
    place = pick_device(device)
    _check_counts(epochs=epochs, batch_size=batch_size, seed=seed)
    train, held_out = _parts(data, validation, seed_of(seed, 0))
    if held_out is not None:
        check_measurable(held_out)
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    train = train.to(place, dtype, hold_below=HOLD_BELOW)
    held_out = None if held_out is None else held_out.to(place, dtype, hold_below=HOLD_BELOW)
    normaliser = Normaliser.fit(train).to(place)
    _check_model(model.to(place), train, normaliser)
    trainer = Trainer(
        train=train,
        held_out=held_out,
        normaliser=normaliser,
        augmentation=Augmentation.of(symmetries, train),
        weights=Weights.of(model, optimiser),
        loss=_on_grid(loss, train),
        optimiser=optimiser,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )
    return _run(trainer, folder, resume=resume, progress=progress)


def _run(trainer: Trainer, folder: Path | None, *, resume: bool, progress: bool) -> Run:
    """All epochs that are left, each followed by writing what it reached."""
    train = trainer.train
    operator = Operator(
        trainer.weights.final,
        trainer.normaliser,
        inputs=train.inputs,
        outputs=train.outputs,
        grid=train.grid,
        provenance=train.provenance,
        training=trainer.describe(),
    )
    record = Record(folder, trainer, operator)
    history = record.begin(resume=resume)
    with Bar(epochs=trainer.epochs, steps=trainer.steps, done=len(history), show=progress) as bar:
        for epoch in range(len(history) + 1, trainer.epochs + 1):
            started = time.perf_counter()
            try:
                train_loss, validation_loss = trainer.train_epoch(epoch, bar), trainer.validate()
            except WorkError:
                if epoch == 1:
                    record.withdraw()
                raise
            bar.validated(validation_loss)
            history.append(
                {
                    "epoch": epoch,
                    "train_loss": train_loss,
                    "validation_loss": validation_loss,
                    "learning_rate": trainer.rate(epoch, trainer.steps - 1),
                    "seconds": round(time.perf_counter() - started, 3),
                }
            )
            record.write(history)
    trainer.weights.model.eval()
    validation = None if trainer.held_out is None else evaluate(operator, trainer.held_out)
    record.finish(history, validation)
    return Run(operator, history, folder, validation)


def _check_counts(**counts: Any) -> None:
    for name, value in counts.items():
        if not isinstance(value, int) or value < _LEAST[name]:
            raise InputError(f"{name}: expected a whole number >= {_LEAST[name]}, got {value!r}")


def _parts(data: Any, validation: Any, seed: int) -> tuple[Samples, Samples | None]:
    """Training and held-out samples."""
    samples = Samples.of(data)
    if validation is None:
        return samples, None
    if isinstance(validation, (int, float)):
        return samples.split(validation, seed)
    held_out = Samples.of(validation)
    own, other = ((s.in_channels, s.out_channels, len(s.space)) for s in (samples, held_out))
    if own != other:
        raise InputError(
            f"validation: expected (in_channels, out_channels, axes of space) = {own} as in data, got {other}; "
            "hold out a part of the same data"
        )
    return samples, held_out


def _check_model(model: nn.Module, train: Samples, normaliser: Normaliser) -> None:
    """Refuse a model that does not fit the data before any time is spent on it."""
    for name, found in (
        ("in_channels", train.in_channels),
        ("out_channels", train.out_channels),
        ("ndim", len(train.space)),
    ):
        if getattr(model, name, found) != found:
            raise InputError(
                f"{name}: expected {getattr(model, name)} as the model has, got {found} in the data; "
                "build the model for these data, as with FNO.for_data(data)"
            )
    x, y = train.batch([0])
    with torch.no_grad():
        shape = model.eval()(normaliser.encode(x)).shape
    if shape != y.shape:
        raise InputError(
            f"model: expected outputs of the data's shape {tuple(y.shape)}, got {tuple(shape)}; "
            "build the model for these data"
        )


def _on_grid(loss: Loss, train: Samples) -> Loss:
    """The loss on the data's grid, where it takes one and was given none."""
    if train.grid is not None and hasattr(loss, "on") and getattr(loss, "grid", train.grid) is None:
        return loss.on(train.grid)
    return loss
