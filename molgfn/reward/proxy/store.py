"""Proxies on disk: a directory with tensors, readable JSON and the training molecules.

::

    proxy.safetensors   weights of every member, fingerprints of the training molecules
    proxy.json          target, unit, architecture, calibration, size baseline, report, versions
    train.csv.gz        the training molecules and their values
    held_out.csv.gz     predictions of the test molecules by an ensemble that never saw them
    README.md           the model card

Nothing is pickled, so a proxy from elsewhere runs no code.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from molgfn.config.resources import shipped_path
from molgfn.errors import CheckpointError, ConfigError, OutputError
from molgfn.machine.files import check_folder_writable, replacing_folder
from molgfn.reward.proxy.architecture import Architecture, Weights
from molgfn.reward.proxy.calibration import Calibration
from molgfn.reward.proxy.card import model_card
from molgfn.reward.proxy.dataset import Dataset, read_dataset
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.proxy import Control, Proxy
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.tables.columns import HELD_OUT_COLUMNS

_FORMAT = 1
_JSON, _TENSORS = "proxy.json", "proxy.safetensors"
_TRAIN, _HELD_OUT, _CARD = "train.csv.gz", "held_out.csv.gz", "README.md"


def save_proxy(proxy: Proxy, data: Dataset, directory: Path) -> None:
    """Write a proxy into a new directory; it appears whole or not at all.

    Args:
        proxy: The proxy.
        data: Its training data.
        directory: Where; an existing proxy there is replaced, any other directory is refused.

    Raises:
        OutputError: The directory holds something else, or cannot be written.
    """
    _check_replaceable(directory)
    with replacing_folder(directory) as fresh:
        _write(proxy, data, fresh)


def check_writable(directory: Path) -> None:
    """Find out before the work whether :func:`save_proxy` will be able to write.

    Raises:
        OutputError: As :func:`save_proxy`.
    """
    _check_replaceable(directory)
    check_folder_writable(directory)


def load_proxy(directory: Path | str) -> Proxy:
    """Read a proxy, onto the CPU.

    Args:
        directory: A directory written by :func:`save_proxy`, or the name of a shipped proxy.

    Raises:
        CheckpointError: A file is missing, garbled, of a newer format, or does not fit the others.
        ConfigError: There is no proxy of that name.
    """
    directory = find_proxy(directory) if isinstance(directory, str) else directory
    about = _read_json(directory / _JSON)
    tensors = _read_tensors(directory / _TENSORS)
    try:
        architecture = Architecture(**about["architecture"])
        size: dict[str, Any] = about["size"]
        proxy = Proxy(
            target=str(about["target"]),
            unit=str(about["unit"]),
            architecture=architecture,
            networks=tuple(
                _restore(architecture, tensors, f"members.{member}.")
                for member in range(int(about["members"]))
            ),
            calibration=_calibration(about["calibration"]),
            size=SizeBaseline(**size | {"mean": tuple(size["mean"]), "sd": tuple(size["sd"])}),
            neighbours=TrainingNeighbours(
                tensors["train.bits"].numpy(), tensors["train.counts"].numpy()
            ),
            provenance=about["provenance"],
            control=_control(architecture, tensors, about.get("control")),
        )
        _check_numbers(proxy)
        return proxy
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(
            f"{directory}: {_JSON} and {_TENSORS} do not make a proxy ({text[:200]}); "
            "fit it again with molgfn proxy fit"
        ) from error


def load_held_out(directory: Path) -> pd.DataFrame | None:
    """Read the predictions of the test molecules.

    Returns:
        The table, or None: proxies of before have none.

    Raises:
        CheckpointError: It cannot be read.
    """
    path = directory / _HELD_OUT
    if not path.is_file():
        return None
    try:
        frame = pd.read_csv(path, keep_default_na=False)
        if tuple(frame.columns) != HELD_OUT_COLUMNS:
            raise ValueError(f"its columns are {', '.join(frame.columns)}")
        return frame.astype(dict.fromkeys(HELD_OUT_COLUMNS[2:], float))
    except (OSError, EOFError, ValueError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: cannot be read ({text[:200]}); fit the proxy again"
        ) from error


def load_training(directory: Path, value_column: str) -> Dataset:
    """Read the training molecules.

    Args:
        directory: A directory written by :func:`save_proxy`.
        value_column: Name of their value, ``Proxy.value_column``.

    Raises:
        CheckpointError: The file is missing.
        TableError: It cannot be read.
    """
    path = directory / _TRAIN
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; fit the proxy again with molgfn proxy fit")
    return read_dataset(path, None, value_column)


def is_proxy(name: str) -> bool:
    """Tell a proxy from other things."""
    return (shipped_path("proxy", name) / _JSON).is_file() or (Path(name) / _JSON).is_file()


def find_proxy(name: str) -> Path:
    """Directory of a proxy given by name or path.

    Args:
        name: Name of a shipped proxy, such as ``parp1``, or a directory.

    Raises:
        ConfigError: Neither exists.
    """
    shipped = shipped_path("proxy", name)
    if (shipped / _JSON).is_file():
        return shipped
    if Path(name).is_dir():
        return Path(name)
    known = sorted(path.parent.name for path in shipped_path("proxy").glob(f"*/{_JSON}"))
    raise ConfigError(
        f"reward.proxy is {name!r}, which is neither a directory nor a shipped proxy "
        f"({', '.join(known)}); make one with molgfn proxy fit"
    )


def _write(proxy: Proxy, data: Dataset, directory: Path) -> None:
    tensors: dict[str, Tensor] = {
        "train.bits": torch.from_numpy(proxy.neighbours.bits),
        "train.counts": torch.from_numpy(proxy.neighbours.counts),
    }
    control = () if proxy.control is None else proxy.control.networks
    for group, networks in (("members", proxy.networks), ("control", control)):
        for member, network in enumerate(networks):
            for name, tensor in network.items():
                tensors[f"{group}.{member}.{name}"] = tensor.contiguous()
    (directory / _TENSORS).write_bytes(save(tensors))
    about = {
        "format": _FORMAT,
        "target": proxy.target,
        "unit": proxy.unit,
        "members": len(proxy.networks),
        "architecture": asdict(proxy.architecture),
        "calibration": asdict(proxy.calibration),
        "size": asdict(proxy.size),
        "provenance": dict(proxy.provenance),
    }
    if proxy.control is not None:
        about["control"] = {
            "members": len(proxy.control.networks),
            "mean": proxy.control.mean,
            "sd": proxy.control.sd,
        }
    (directory / _JSON).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (directory / _CARD).write_text(model_card(proxy, data), encoding="utf-8")
    frame = pd.DataFrame(
        {"SMILES": [m.smiles for m in data.molecules], proxy.value_column: data.targets}
    )
    _write_table(frame, directory / _TRAIN)
    if proxy.held_out is not None:
        _write_table(proxy.held_out, directory / _HELD_OUT)


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    buffer = io.BytesIO()
    # No time stamp and no file name: the same data give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    path.write_bytes(buffer.getvalue())


def _calibration(about: dict[str, Any]) -> Calibration:
    return Calibration(**about | {"weights": tuple(about.get("weights", ()))})


def _control(
    architecture: Architecture, tensors: Mapping[str, Tensor], about: dict[str, Any] | None
) -> Control | None:
    """The control; proxies of before have none."""
    if about is None:
        return None
    networks = tuple(
        _restore(architecture, tensors, f"control.{member}.")
        for member in range(int(about["members"]))
    )
    return Control(networks, float(about["mean"]), float(about["sd"]))


def _restore(architecture: Architecture, tensors: Mapping[str, Tensor], prefix: str) -> Weights:
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    architecture.check(own)
    return own


def _check_numbers(proxy: Proxy) -> None:
    """Refuse what would only show as failed or wrong predictions later."""
    if not proxy.networks:
        raise ValueError("members is 0")
    size = proxy.size
    numbers = {
        "calibration": (*astuple(proxy.calibration)[:4], *proxy.calibration.weights),
        "size.mean": size.mean,
        "size.sd": size.sd,
        "size": (size.smallest_sd, size.n_min, size.n_max),
    }
    for key, values in numbers.items():
        if not values or not all(isinstance(x, int | float) and isfinite(x) for x in values):
            raise ValueError(f"{key} holds something that is no finite number")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.parent} is no proxy, {path.name} is missing; make one with molgfn proxy fit"
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as JSON ({error}); fit the proxy again with molgfn proxy fit"
        ) from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise CheckpointError(
            f"{path}: expected format {_FORMAT}, came {found!r}; "
            "update molgfn or fit the proxy again"
        )
    return about


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as safetensors ({' '.join(str(error).split())[:200]}); "
            "fit the proxy again with molgfn proxy fit"
        ) from error


def _check_replaceable(directory: Path) -> None:
    if directory.exists() and not (directory / _JSON).is_file() and any(_entries(directory)):
        raise OutputError(f"{directory} exists and holds no proxy; give a new directory")


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else [directory]
