"""Where exceptions become exit codes: one line for a user's mistake, a traceback for ours."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import Any

import typer
from typer.core import TyperGroup

from molgfn.errors import InputError, MolgfnError, OutputError, UsageError

EXIT_INTERRUPTED = 130


class BoundaryGroup(TyperGroup):
    """The command group around all others, which reports what they raise."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the options before the command, such as ``--help``.

        Raises:
            Exit: As :meth:`invoke`.
        """
        with _reported():
            _refuse_empty_options(args)
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            Exit: With the exit code of an error that a user can act on, 0 when the reader of
                standard output has gone, 130 when interrupted.
        """
        with _reported():
            return super().invoke(ctx)


def print_text(text: str) -> None:
    """Write text that is no table, such as a configuration, to standard output.

    Raises:
        Exit: With 0 when the reader of standard output has gone.
        OutputError: Standard output is closed or cannot be written.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        typer.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError as error:
        _abandon_stdout()
        raise typer.Exit(0) from error
    except OSError as error:
        raise OutputError(f"cannot write standard output: {error.strerror}") from error


def say(text: str) -> None:
    """Tell the user something on standard error."""
    typer.echo(text, err=True)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except MolgfnError as error:
        if isinstance(error, OutputError) or error.exit_code == 0:
            _abandon_stdout()
        if error.exit_code != 0:
            _complain(error)
        raise typer.Exit(error.exit_code) from error
    except BrokenPipeError as error:  # from typer's own output, such as --help
        _abandon_stdout()
        raise typer.Exit(0) from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        _complain(
            MolgfnError(
                "there is not enough memory; lower batch sizes, widths or numbers of molecules"
            )
        )
        raise typer.Exit(MolgfnError.exit_code) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _abandon_stdout()
            typer.echo(f"molgfn: error: {error.strerror}; free some space", err=True)
            raise typer.Exit(OutputError.exit_code) from error
        # Even asking whether a path exists fails for a name that is too long or a closed folder.
        if error.filename is None:
            raise
        _complain(InputError(f"{error.filename}: {error.strerror}; give another path"))
        raise typer.Exit(InputError.exit_code) from error
    except KeyboardInterrupt as error:
        typer.echo("molgfn: interrupted", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error


def _complain(error: MolgfnError) -> None:
    typer.echo(f"molgfn: error: {' '.join(str(error).split())}", err=True)


def _refuse_empty_options(args: list[str]) -> None:
    """Refuse an option whose value is empty, as it is where a variable of the shell is not set.

    An empty path would be the current directory. A column may have no name.
    """
    for option, value in itertools.pairwise([*args, "-"]):
        name, equals, given = option.partition("=")
        is_empty = given == "" if equals else value == ""
        if name.startswith("-") and is_empty and not name.endswith("column"):
            raise UsageError(f"{name} has an empty value; give one or leave {name} out")


def _is_out_of_memory(error: Exception) -> bool:
    """Torch says it with errors of its own: ``CUDA out of memory``, ``can't allocate memory``."""
    return isinstance(error, MemoryError) or "memory" in str(error)


def _abandon_stdout() -> None:
    """Discard what is still buffered, or Python complains about it when it exits."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, UnsupportedOperation):  # closed, or replaced by something in memory
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
