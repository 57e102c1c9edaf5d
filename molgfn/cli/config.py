"""``molgfn config``: print the configuration, or check one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molgfn.cli.boundary import print_text

config_app = typer.Typer(invoke_without_command=True)

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value, such as train.steps=500."),
]


@config_app.callback()
def config(context: typer.Context, settings: Settings = None) -> None:
    """Print the default configuration with a comment for every key.

    Save it with `molgfn config > my.yaml`, delete what you do not change, and pass the file to
    `molgfn train my.yaml`.
    """
    if context.invoked_subcommand is None:
        from molgfn.config.loader import dump_config, load_config

        print_text(dump_config(load_config(None, _list(settings))))


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Configuration file (YAML).")],
    settings: Settings = None,
) -> None:
    """Check a configuration file and print the whole configuration that it gives."""
    from molgfn.config.loader import dump_config, load_config
    from molgfn.config.memory import check_memory

    checked = load_config(file, _list(settings))
    check_memory(checked)
    print_text(dump_config(checked))


def _list(settings: list[str] | None) -> list[str]:
    return settings if settings is not None else []
