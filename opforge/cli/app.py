"""The command line as a whole: global options, exit status, errors as one line."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Annotated, Any

import typer

import opforge
from opforge.cli import (
    bench,
    convert,
    evaluate,
    generate,
    inspection,
    listing,
    plot,
    precond,
    predict,
    process,
    quickstart,
    simulate,
    train,
    tune,
)
from opforge.cli.console import Report
from opforge.errors import InputError, WorkError, make_room, no_room

DONE, FAILED, WRONG_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_GLOBAL = ("-v", "--verbose", "--quiet")

# typer's bad-parameter error is a usage error, which is a command-line error; only the first has a public name.
_CommandLineError = typer.BadParameter.__mro__[2]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _module in (
    quickstart,
    generate,
    inspection,
    convert,
    train,
    evaluate,
    predict,
    plot,
    simulate,
    listing,
    precond,
    bench,
    tune,
):
    for _name, _function, _example in _module.COMMANDS:
        app.command(_name, epilog=f"\b\nExample:\n  {_example}")(_function)

_precond = typer.Typer(help="List, train and measure learned preconditioners.")


@_precond.callback(invoke_without_command=True, subcommand_metavar="COMMAND")
def _help_alone(context: typer.Context) -> None:
    """List, train and measure learned preconditioners."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit()


for _name, _function, _example in precond.SUBCOMMANDS:
    _precond.command(_name, epilog=f"\b\nExample:\n  {_example}")(_function)
app.add_typer(_precond, name=precond.GROUP)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"opforge {opforge.__version__}")
        raise typer.Exit()


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="COMMAND",
    epilog="\b\nExample:\n  opforge quickstart --fast\n\n"
    "Exit status: 0 done, 1 failed while working, 2 wrong input, 130 interrupted, 143 terminated.",
)
def opforge_(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say more; show the full traceback of an error.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print results only, tab-separated, without progress: for scripts.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Train neural operators on PDE data that opforge generates itself."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit()
    context.obj = Report(verbose, quiet)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; errors are one line on stderr.

    Args:
        arguments: the words after ``opforge``; those of the process unless given.

    Returns:
        0 done, 1 failed while working, 2 wrong input, 130 interrupted, 143 terminated.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        opforge ...
        0
    """
    if arguments is None:  # the process is this command's own
        process.tune()
        process.interrupt_when_terminated()
    words = _global_options_first(sys.argv[1:] if arguments is None else list(arguments))
    verbose = "-v" in words or "--verbose" in words
    try:
        with _warnings_as_lines():
            status = typer.main.get_command(app).main(words, prog_name="opforge", standalone_mode=False)
            sys.stdout.flush()
        # Without standalone mode, typer gives the status of an Exit back, and turns an interrupt into one.
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        return status if isinstance(status, int) else DONE
    except SystemExit as exit:  # typer's own answer to a closed pipe
        return exit.code if isinstance(exit.code, int) else FAILED
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except Exception as error:
        # Python 3.11 makes a RuntimeError of what is raised while a class is made, as modules do that are imported
        return _stopped() if isinstance(error.__cause__, KeyboardInterrupt) else _explained(error, verbose=verbose)


def _stopped() -> int:
    """Say what stopped the command, and return the exit status for it."""
    _complain("terminated" if process.terminated() else "interrupted")
    return TERMINATED if process.terminated() else INTERRUPTED


def _global_options_first(words: list[str]) -> list[str]:
    """Move the global options to the front, so that they work after the command's name too."""
    end = words.index("--") if "--" in words else len(words)
    moved = [word for word in words[:end] if word in _GLOBAL]
    return moved + [word for word in words[:end] if word not in moved] + words[end:]


def _explained(error: Exception, *, verbose: bool) -> int:
    """Say in one line what went wrong, and return the exit status for it."""
    if isinstance(error, BrokenPipeError):  # the reader has enough
        _give_up_stdout()
        return FAILED
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, InputError):
        _complain(str(error))
        return WRONG_INPUT
    if isinstance(error, _CommandLineError):
        _complain(_usage_text(error))
        return WRONG_INPUT
    if isinstance(error, WorkError):
        _complain(str(error))
    elif isinstance(error, OSError):
        _complain(_system_text(error))
        _give_up_stdout()
        if no_room(error) or _forbidden(error) or error.errno == errno.ENAMETOOLONG:
            return WRONG_INPUT
    elif isinstance(error, MemoryError):
        _complain(f"out of memory; use a smaller resolution, batch size or model {error}".rstrip())
    else:
        hint = "" if verbose else "; run again with -v for the traceback"
        _complain(f"{type(error).__name__}: {error}{hint}")
    return FAILED


def _complain(text: str) -> None:
    print("opforge:", " ".join(text.split()), file=sys.stderr)


def _usage_text(error: Any) -> str:
    """The message of typer's error, whose class has no public name: with the closest option, and where to read on."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    option = getattr(error, "option_name", None)
    if hasattr(error, "possibilities") and context is not None and option is not None:
        known = [name for each in context.command.params for name in each.opts] + list(_GLOBAL)
        close = get_close_matches(option, [name for name in known if name.startswith("--")], n=1)
        message = f"no such option '{option}'" + (f"; did you mean '{close[0]}'?" if close else "")
    path = context.command_path if context is not None else "opforge"
    return f"{message[:1].lower()}{message[1:].rstrip('.')} (see {path} --help)"


def _system_text(error: OSError) -> str:
    if error.strerror is None:
        return str(error) or type(error).__name__
    text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if error.errno == errno.ENAMETOOLONG:
        return f"{text}; give a shorter one"
    if no_room(error):
        return f"{text}; {make_room(error)} or write elsewhere"
    return f"{text}; change its permissions or choose another place" if _forbidden(error) else text


def _forbidden(error: OSError) -> bool:
    return isinstance(error, PermissionError) or error.errno == errno.EROFS


def _give_up_stdout() -> None:
    """Where stdout takes nothing any more, send what is buffered nowhere: Python would complain of it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show each warning as one line."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _complain(f"warning: {message}")
        yield
