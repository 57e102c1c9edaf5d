"""Checks and limits that several commands share for their options."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from molgfn.errors import UsageError

if TYPE_CHECKING:
    from molgfn.molecules.sampler import Sampler

#: Largest seed that every library takes.
MAX_SEED = 2**32 - 1


def check_beta(beta: float | None) -> float | None:
    """Refuse a beta that is not finite and above 0; a callback of ``--beta``.

    Args:
        beta: What was given, None for the default.

    Returns:
        The same.

    Raises:
        UsageError: It is not a number above 0, or one that overflows.
    """
    from molgfn.config.ranges import BETA

    if beta is not None and not 0 < beta < math.inf:
        raise UsageError(f"--beta must be a number above 0, got {beta}")
    if beta is not None and (fault := BETA.fault(beta)):
        raise UsageError(f"--beta must be {fault}, got {beta}")
    return beta


def check_device_option(device: str) -> str:
    """Refuse an unknown device; a callback of ``--device``.

    Returns:
        The same.

    Raises:
        ConfigError: It is not ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """
    from molgfn.config.schema import check_device

    check_device(device)
    return device


def check_resume(resume: bool, run: Path | None, config: Path | None) -> None:
    """Refuse ``--resume`` without the run to resume, or with a configuration beside the run's own.

    Raises:
        UsageError: It is one of these.
    """
    if resume and (run is None or config is not None):
        raise UsageError("--resume needs --run and no CONFIG: the run has its own")


def settle_beta(sampler: Sampler, beta: float | None) -> float:
    """Settle the exponent to sample with, and say on standard error which policy it is asked of.

    Args:
        sampler: The policy.
        beta: What was given, None for the largest of the policy's training.
    """
    import typer

    train = sampler.config.train
    chosen = train.beta_max if beta is None else beta
    typer.echo(f"policy: {sampler.source}, beta {chosen:g}", err=True)
    if not train.beta_min <= chosen <= train.beta_max:
        typer.echo(
            f"note: the policy was trained for beta {train.beta_min:g} to {train.beta_max:g}; "
            "beyond it follows the reward only roughly",
            err=True,
        )
    return chosen
