"""Writes the golden files anew: ``python -m tests.golden.rewrite``, from the root of the checkout.

Look at the difference before it is committed: users see every line of it. ``old_run`` is never
written anew; it was made by an early version and must load for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from molgfn.cli.app import app
from molgfn.config.resources import shipped_path

FOLDER = Path(__file__).parent
HELP = FOLDER / "help.txt"
SAMPLED = FOLDER / "sampled.csv"


def help_texts() -> str:
    """What ``--help`` prints for every command and sub-command."""
    blocks = []
    for words in commands(typer.main.get_command(app)):
        title = " ".join(("molgfn", *words))
        shown = CliRunner().invoke(
            app, [*words, "--help"], env={"COLUMNS": "80"}, prog_name="molgfn"
        )
        blocks.append(f"=== {title}\n{shown.stdout}")
    return "\n".join(blocks)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of a command and of all below it."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))


def sampled() -> str:
    """The first molecules of the shipped policy."""
    policy = str(shipped_path("policy", "parp1"))
    options = ["--n", "20", "--seed", "0", "--beta", "32", "--device", "cpu"]
    return CliRunner().invoke(app, ["sample", policy, *options]).stdout


if __name__ == "__main__":
    HELP.write_text(help_texts(), encoding="utf-8")
    SAMPLED.write_text(sampled(), encoding="utf-8")
