"""Where exceptions become exit codes: one line for a user's mistake, a traceback for ours."""

from __future__ import annotations

import os
import sys
from io import UnsupportedOperation
from typing import Any

import typer
from typer.core import TyperGroup

from molgfn.errors import MolgfnError, OutputError

EXIT_INTERRUPTED = 130


class BoundaryGroup(TyperGroup):
    """The command group around all others, which reports what they raise."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Args:
            ctx: The parsed command line.

        Returns:
            Whatever the command returns.

        Raises:
            Exit: With the exit code of an error that a user can act on, 0 when the reader of
                standard output has gone, 130 when interrupted.
        """
        try:
            return super().invoke(ctx)
        except MolgfnError as error:
            if isinstance(error, OutputError) or error.exit_code == 0:
                _abandon_stdout()
            if error.exit_code != 0:
                typer.echo(f"molgfn: error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            typer.echo("molgfn: interrupted", err=True)
            raise typer.Exit(EXIT_INTERRUPTED) from error


def print_text(text: str) -> None:
    """Write text that is no table, such as a configuration, to standard output.

    Args:
        text: The text, with its last line end.

    Raises:
        Exit: With 0 when the reader of standard output has gone.
        OutputError: Standard output cannot be written.
    """
    try:
        typer.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError as error:
        _abandon_stdout()
        raise typer.Exit(0) from error
    except OSError as error:
        raise OutputError(f"standard output: cannot be written: {error.strerror}") from error


def _abandon_stdout() -> None:
    """Send what is still buffered nowhere, or Python complains once more on its way out."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, UnsupportedOperation):  # closed, or replaced by something in memory
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
