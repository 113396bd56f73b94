"""What holds for every command: help, exit status, one line for every error."""

import errno
import subprocess
import sys
import warnings

import pytest

import opforge as package
from opforge.errors import WorkError

COMMANDS = (
    "quickstart",
    "generate",
    "merge",
    "convert",
    "inspect",
    "train",
    "evaluate",
    "predict",
    "plot",
    "list",
    "bench",
    "tune",
)


def wrapped(error):
    """As Python 3.11 does it with what is raised while a class is made."""
    outer = RuntimeError("Error calling __set_name__")
    outer.__cause__ = error
    return outer


def process(*words, **options):
    command = [sys.executable, "-m", "opforge", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_help_names_every_command():
    done = process("--help")
    assert done.returncode == 0 and done.stderr == ""
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(opforge, command):
    done = opforge(command, "--help")
    assert done.status == 0
    assert f"Example:\n    opforge {command} " in done.out
    assert "..." not in done.out.split("\n")[2], "the first line fits in the list of commands"


def test_without_a_command_comes_the_help(opforge):
    assert opforge().out == opforge("--help").out


def test_version(opforge):
    assert opforge("--version").out == f"opforge {package.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], "no such command 'trian'. Did you mean 'train'?"),
        (["list", "--quite"], "no such option '--quite'; did you mean '--quiet'?"),
        (["train", "--epohcs", "3"], "no such option '--epohcs'; did you mean '--epochs'?"),
        (["train"], "missing argument 'MODEL'"),
        (["train", "fno", "x.nc"], "missing option '-o' / '--out'"),
        (["generate", "darcy", "-o", "x.nc", "-n", "many"], "invalid value for '-n' / '--samples'"),
        (["list", "models", "and more"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line(refused, words, expected):
    line = refused(*words)
    assert expected in line
    assert line.endswith("--help)")


def test_global_options_may_stand_anywhere(opforge):
    expected = opforge("--quiet", "list", "models").out
    assert "\t" in expected
    assert opforge("list", "models", "--quiet").out == expected
    assert opforge("list", "--quiet", "models").out == expected


@pytest.fixture
def failing(monkeypatch, opforge):
    """Run `opforge list` with an error in the middle of it."""

    def run(error, *words):
        def fail(kind):
            raise error

        monkeypatch.setattr("opforge.cli.listing.entries", fail)
        return opforge("list", *words)

    return run


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (WorkError("sample 3\n did not converge"), 1, "sample 3 did not converge"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.nc"),
            2,
            "No space left on device: x.nc; free some space or write elsewhere",
        ),
        (OSError(errno.EIO, "Input/output error", "x.nc"), 1, "Input/output error: x.nc"),
        (OSError("truncated file"), 1, "truncated file"),
        (MemoryError(), 1, "out of memory; use a smaller resolution, batch size or model"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (wrapped(KeyboardInterrupt()), 130, "interrupted"),
        (
            ZeroDivisionError("division\nby zero"),
            1,
            "ZeroDivisionError: division by zero; run again with -v for the traceback",
        ),
    ],
)
def test_errors_are_one_line_with_a_status(failing, error, status, line):
    done = failing(error)
    assert (done.status, done.out, done.err) == (status, "", f"opforge: {line}\n")


def test_verbose_shows_the_traceback(failing):
    done = failing(ZeroDivisionError("by zero"), "-v")
    assert done.status == 1
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.endswith("opforge: ZeroDivisionError: by zero\n")


def test_warnings_are_one_line(monkeypatch, opforge):
    def warn(kind):
        warnings.warn("two\nlines", UserWarning, stacklevel=1)
        return [("model", "fno", "x")]

    monkeypatch.setattr("opforge.cli.listing.entries", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = opforge("list", "models")
    assert (done.status, done.err) == (0, "opforge: warning: two lines\n")


def test_a_reader_that_stops_is_no_news():
    command = f"set -o pipefail; {sys.executable} -m opforge --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "opforge", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (
        2,
        "opforge: No space left on device; free some space or write elsewhere\n",
    )


def test_wrong_input_as_a_process():
    done = process("evaluate", "no-run", "no-file.nc")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "no-file.nc" in done.stderr
