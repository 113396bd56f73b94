"""``opforge quickstart``: from nothing to a trained, checked operator, with the steps to go on from."""

from __future__ import annotations

import dataclasses
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import opforge
from opforge.cli.console import Report
from opforge.cli.evaluate import COLUMNS, mean_output_metrics, table_rows
from opforge.cli.files import free_folder, made_folder
from opforge.cli.options import Device, Force, refuse_missing
from opforge.cli.train import build, count, make_loss, make_optimiser
from opforge.errors import InputError


@dataclass(frozen=True)
class Settings:
    """What the quickstart does.

    Args:
        resolution: points per axis that the operator is trained on.
        fine_resolution: points per axis for the zero-shot test.
        train_samples, validation_samples, test_samples: numbers of samples; the validation samples are for the
            learning curve alone, the test samples are seen once, after training.
        epochs, batch_size, learning_rate: of the training.
        width, modes, depth: of the Fourier neural operator.
    """

    resolution: int = 64
    fine_resolution: int = 128
    train_samples: int = 1000
    validation_samples: int = 40
    test_samples: int = 100
    epochs: int = 20
    batch_size: int = 10
    learning_rate: float = 8e-3
    width: int = 32
    modes: int = 12
    depth: int = 4


FULL = Settings()
FAST = Settings(
    resolution=32,
    fine_resolution=64,
    train_samples=200,
    validation_samples=20,
    test_samples=20,
    epochs=15,
    batch_size=10,
    width=16,
    modes=8,
)


@dataclass(frozen=True)
class Plan:
    """The settings, the folder and the seeds: every file and every command of a quickstart follows from them."""

    settings: Settings
    folder: Path
    seed: int
    device: str

    @property
    def data(self) -> dict[str, tuple[int, int, int]]:
        """File name -> samples, resolution, seed. Both tests have one seed: the same functions on two grids."""
        s = self.settings
        return {
            "train.nc": (s.train_samples, s.resolution, self.seed),
            f"test{s.resolution}.nc": (s.test_samples, s.resolution, self.seed + 1),
            f"test{s.fine_resolution}.nc": (s.test_samples, s.fine_resolution, self.seed + 1),
            "validation.nc": (s.validation_samples, s.resolution, self.seed + 2),
        }

    @property
    def tests(self) -> list[str]:
        return [name for name in self.data if name.startswith("test")]

    @property
    def model(self) -> dict[str, int]:
        """Settings of the model."""
        return {"width": self.settings.width, "modes": self.settings.modes, "depth": self.settings.depth}

    def commands(self) -> list[str]:
        """The command lines that do the same steps."""
        s, folder = self.settings, self.folder
        device = [] if self.device == "auto" else ["--device", self.device]
        seed = ["--seed", str(self.seed)] if self.seed else []
        words: list[list[Any]] = [
            ["generate", "darcy", "-n", samples, "--resolution", n, "--seed", data_seed, "-o", folder / name]
            for name, (samples, n, data_seed) in self.data.items()
        ]
        train = ["train", "fno", folder / "train.nc", "--validation", folder / "validation.nc", "--epochs", s.epochs]
        train += ["--batch-size", s.batch_size, "--learning-rate", s.learning_rate, *seed, *device]
        words += [[*train, *(w for item in self.model.items() for w in ("--set", "=".join(map(str, item))))]]
        words[-1] += ["-o", folder / "run"]
        words += [["evaluate", folder / "run", folder / name, *device] for name in self.tests]
        words += [["plot", folder / "run", "--data", folder / name, *device] for name in self.tests]
        words += [["plot", folder / "run"]]
        return [shlex.join(["opforge", *map(str, line)]) for line in words]


def quickstart(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="Small numbers: under a minute on a laptop.")] = False,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder to write.")] = Path("quickstart"),
    seed: Annotated[int, typer.Option(help="Of the data and the training.")] = 0,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """From nothing to a trained, checked operator, in minutes.

    Generates Darcy flow data, trains a Fourier neural operator on it, measures it on unseen samples at the training's
    resolution and at twice that, draws pictures, and ends with the commands that do the same steps one by one.
    """
    report: Report = context.obj
    free_folder(out, force=force)
    if not 0 <= seed < 2**62:
        raise InputError(f"--seed must lie between 0 and 2**62 - 1, got {seed}")
    refuse_missing(device)
    made_folder(out)
    try:
        run_plan(Plan(FAST if fast else FULL, out, seed, device), report)
    except BaseException:
        if not any(out.iterdir()):
            out.rmdir()
        raise


def run_plan(plan: Plan, report: Report) -> dict[str, Any]:
    """Do all steps and return what `metrics.json` in the folder says."""
    started = time.perf_counter()
    seconds: dict[str, float] = {}
    with _phase("generate", seconds, report, "1/4 generating data"):
        data = {name: _generate(plan, name, report) for name in plan.data}
    with _phase("train", seconds, report, "2/4 training"):
        run = _train(plan, data, report)
    with _phase("evaluate", seconds, report, "3/4 measuring on samples that the training never saw"):
        results = {name: run.evaluate(data[name]) for name in plan.tests}
        guesses = {name: mean_output_metrics(data[name], batch_size=32) for name in plan.tests}
    with _phase("pictures", seconds, report, "4/4 drawing"):
        pictures = _draw(plan, data)
    metrics = {
        "seconds": round(time.perf_counter() - started, 2),
        "phases": seconds,
        "resolutions": {str(plan.data[name][1]): result.to_dict() for name, result in results.items()},
        "mean_output": {str(plan.data[name][1]): guess.to_dict() for name, guess in guesses.items()},
        "settings": dataclasses.asdict(plan.settings),
        "parameters": count(run.operator.model),
        "device": str(run.operator.device),
        **_versions(),
    }
    report.json(str(plan.folder / "metrics.json"), metrics)
    _say_results(plan, results, guesses, report)
    report.say(f"pictures: {', '.join(map(str, pictures))}\nnumbers:  {plan.folder / 'metrics.json'}")
    report.say(f"{metrics['seconds']:.0f} s in all: " + ", ".join(f"{k} {v:.0f} s" for k, v in seconds.items()))
    report.say(
        "\nThe same, step by step (with other names, or --force to replace these files):\n\n  "
        + "\n  ".join(plan.commands())
    )
    return metrics


@contextmanager
def _phase(name: str, seconds: dict[str, float], report: Report, text: str) -> Iterator[None]:
    report.say(text)
    started = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - started, 2)


def _generate(plan: Plan, name: str, report: Report) -> Any:
    samples, resolution, seed = plan.data[name]
    return opforge.generate(
        "darcy", samples, resolution, seed, out=plan.folder / name, overwrite=True, progress=report.progress
    )


def _train(plan: Plan, data: dict[str, Any], report: Report) -> Any:
    settings = plan.settings
    train, validation = data["train.nc"], data["validation.nc"]
    model = build("fno", train, plan.model, seed=plan.seed)
    return opforge.fit(
        model,
        train,
        settings.epochs,
        loss=make_loss("l2"),
        optimiser=make_optimiser(settings.learning_rate, "onecycle"),
        batch_size=settings.batch_size,
        validation=validation,
        out=plan.folder / "run",
        overwrite=True,
        seed=plan.seed,
        device=plan.device,
        progress=report.progress,
    )


def _draw(plan: Plan, data: dict[str, Any]) -> list[Path]:
    from opforge.cli.plot import history_figure, prediction_figure, save

    run = plan.folder / "run"
    pictures = []
    for name in plan.tests:
        figure, _ = prediction_figure(run, plan.folder / name, 0, device=plan.device)
        pictures.append(plan.folder / f"prediction{plan.data[name][1]}.png")
        save(figure, pictures[-1])
    pictures.append(plan.folder / "learning_curve.png")
    save(history_figure(run), pictures[-1])
    return pictures


def _say_results(plan: Plan, results: dict[str, Any], guesses: dict[str, Any], report: Report) -> None:
    rows = []
    for name, result in results.items():
        zero_shot = plan.data[name][1] != plan.settings.resolution
        rows.append((f"{name}: operator{', zero-shot' if zero_shot else ''}", result))
        rows.append((f"{name}: its mean output", guesses[name]))
    report.table(COLUMNS, table_rows(rows), title="errors on unseen samples")


def _versions() -> dict[str, Any]:
    import torch

    return {
        "opforge": opforge.__version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
    }


COMMANDS = (("quickstart", quickstart, "opforge quickstart --fast --out quickstart"),)
