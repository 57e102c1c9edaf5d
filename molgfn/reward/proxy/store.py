"""Proxies on disk: a directory with tensors, readable JSON and the training molecules.

::

    proxy.safetensors   weights of every member, fingerprints of the training molecules
    proxy.json          target, unit, architecture, calibration, size baseline, report, versions
    train.csv.gz        the training molecules and their values
    held_out.csv.gz     predictions of the test molecules by an ensemble that never saw them
    README.md           the model card
    SHA256SUMS          digests of all these, compared when they are read; older proxies have none

Nothing is pickled, so a proxy from elsewhere runs no code.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor

from molgfn.chem.similarity import N_BITS
from molgfn.config.resources import cure_of, shipped_path
from molgfn.errors import CheckpointError, ConfigError, OutputError
from molgfn.machine.document import Document
from molgfn.machine.files import check_folder_writable, replacing_folder
from molgfn.machine.sealed import lists, read_sealed, seal
from molgfn.machine.tensors import ANY, check_tensor, check_tensors, parse_tensors
from molgfn.reward.proxy.architecture import Architecture, Weights
from molgfn.reward.proxy.calibration import N_WEIGHTS, Calibration
from molgfn.reward.proxy.card import model_card
from molgfn.reward.proxy.dataset import SIGNS_OF_BOUNDS, Dataset, read_dataset
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.proxy import Control, Proxy
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.tables.columns import HELD_OUT_COLUMNS

#: Since format 2 a proxy has the digests of its files.
_FORMAT = 2
#: More would be damage.
_MOST_MEMBERS = 1000
_CURE = "fit the proxy again with molgfn proxy fit"
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
    about, tensors = _read(directory)
    architecture = _architecture(about.section("architecture"))
    _refuse_unknown(tensors, directory / _TENSORS)
    path, members = directory / _TENSORS, about.whole("members", 1, _MOST_MEMBERS)
    return Proxy(
        target=about.text("target"),
        unit=about.text("unit"),
        architecture=architecture,
        networks=_networks(architecture, tensors, members, "members", path),
        calibration=_calibration(about.section("calibration")),
        size=_size(about.section("size")),
        neighbours=_neighbours(tensors, path),
        provenance=about.plain("provenance"),
        control=_control(architecture, tensors, about, path),
    )


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
    content = read_sealed(path, cure_of(path, _CURE))
    try:
        frame = pd.read_csv(io.BytesIO(content), keep_default_na=False, compression="gzip")
        if tuple(frame.columns) != HELD_OUT_COLUMNS:
            raise ValueError(f"its columns are {', '.join(frame.columns)}")
        return frame.astype(dict.fromkeys(HELD_OUT_COLUMNS[2:], float))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"{path}: cannot be read ({text[:200]}); {_CURE}") from error


def load_training(directory: Path, value_column: str) -> Dataset:
    """Read the training molecules.

    Args:
        directory: A directory written by :func:`save_proxy`.
        value_column: Name of their value, ``Proxy.value_column``.

    Raises:
        CheckpointError: The file is missing, or not as it was written.
        TableError: It cannot be read.
    """
    path = directory / _TRAIN
    read_sealed(path, cure_of(path, _CURE))
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
    if data.bounds:
        frame[f"{proxy.value_column}_relation"] = [SIGNS_OF_BOUNDS[sign] for sign in data.bounds]
    _write_table(frame, directory / _TRAIN)
    if proxy.held_out is not None:
        _write_table(proxy.held_out, directory / _HELD_OUT)
    seal(directory)


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    buffer = io.BytesIO()
    # No time stamp and no file name: the same data give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    path.write_bytes(buffer.getvalue())


def _read(directory: Path) -> tuple[Document, dict[str, Tensor]]:
    """Read both files that make a proxy."""
    path = directory / _JSON
    if not path.exists() and not lists(path):
        raise CheckpointError(
            f"{directory} is no proxy, {_JSON} is missing; make one with molgfn proxy fit"
        )
    cure = cure_of(path, _CURE)
    about = Document.parse(read_sealed(path, cure), path, cure)
    if about.get("format") not in (1, _FORMAT):
        raise about.fault("format", f"must be 1 or {_FORMAT}, or a newer molgfn wrote it; update")
    content = read_sealed(directory / _TENSORS, cure, required=about["format"] == _FORMAT)
    return about, parse_tensors(content, directory / _TENSORS, _CURE)


def _refuse_unknown(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name in tensors:
        if name.partition(".")[0] not in ("train", "members", "control"):
            raise CheckpointError(f"{path}: {name} is not expected; {_CURE}")


def _architecture(about: Document) -> Architecture:
    return Architecture(
        about.whole("hidden", 1, 4096), about.whole("layers", 1, 64), about.number("dropout")
    )


def _calibration(about: Document) -> Calibration:
    """The calibration; proxies of before have no weights and no interval."""
    return Calibration(
        mean=about.number("mean"),
        sd=about.number("sd"),
        spread_scale=about.number("spread_scale"),
        noise=about.number("noise"),
        weights=about.numbers("weights", N_WEIGHTS) if about.get("weights") else (),
        interval=about.number("interval") if "interval" in about else 0.0,
    )


def _size(about: Document) -> SizeBaseline:
    mean, sd = about.numbers("mean"), about.numbers("sd")
    if not (mean and sd):
        raise about.fault("sd" if mean else "mean", "is empty")
    n_min = about.whole("n_min")
    return SizeBaseline(
        mean, sd, about.number("smallest_sd"), n_min, about.whole("n_max", least=n_min)
    )


def _neighbours(tensors: Mapping[str, Tensor], path: Path) -> TrainingNeighbours:
    for name in ("train.bits", "train.counts"):
        if name not in tensors:
            raise CheckpointError(f"{path}: {name} is missing; {_CURE}")
        check_tensor(tensors[name], torch.int16, (ANY,), f"{path}: {name}", _CURE)
    bits, counts = (tensors[f"train.{name}"].numpy() for name in ("bits", "counts"))
    is_sound = len(counts) and counts.min() >= 0 and counts.sum(dtype=np.int64) == len(bits)
    if not is_sound or (len(bits) and not 0 <= bits.min() <= bits.max() < N_BITS):
        raise CheckpointError(f"{path}: train.bits and train.counts are no fingerprints; {_CURE}")
    return TrainingNeighbours(bits, counts)


def _control(
    architecture: Architecture, tensors: Mapping[str, Tensor], about: Document, path: Path
) -> Control | None:
    """The control; proxies of before have none."""
    if "control" not in about:
        return None
    own = about.section("control")
    networks = _networks(
        architecture, tensors, own.whole("members", 1, _MOST_MEMBERS), "control", path
    )
    return Control(networks, own.number("mean"), own.number("sd"))


def _networks(
    architecture: Architecture, tensors: Mapping[str, Tensor], n: int, group: str, path: Path
) -> tuple[Weights, ...]:
    """Weights of n networks, and no more than these."""
    own = {name: value for name, value in tensors.items() if name.startswith(f"{group}.")}
    shapes = architecture.shapes()
    like = {
        f"{group}.{member}.{name}": torch.empty(shape, device="meta")
        for member in range(n)
        for name, shape in shapes.items()
    }
    check_tensors(own, like, path, _CURE)
    return tuple({name: own[f"{group}.{member}.{name}"] for name in shapes} for member in range(n))


def _check_replaceable(directory: Path) -> None:
    if directory.exists() and not (directory / _JSON).is_file() and any(_entries(directory)):
        raise OutputError(f"{directory} exists and holds no proxy; give a new directory")


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else [directory]
