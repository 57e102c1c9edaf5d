"""The device that computes, and its random numbers."""

from __future__ import annotations

import torch

from molgfn.errors import ConfigError


def set_up_device(name: str) -> torch.device:
    """Turn the device of a configuration into a torch device, with reproducible sums.

    On the CPU torch is held to one thread: sums over several differ in their last bits, and a seed
    should give the same run on any number of cores. The networks are small; a second thread would
    save less than a tenth of the time.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        The device; ``auto`` takes a GPU when there is one.

    Raises:
        ConfigError: There is no GPU of the number asked for.
    """
    torch.set_num_threads(1)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if n_gpus else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise ConfigError(f"device {name} was asked for, but torch sees {n_gpus} GPUs; use auto")
    return device


def seeded(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of random numbers on a device."""
    return torch.Generator(device).manual_seed(seed)
