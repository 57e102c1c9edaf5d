"""Plots as image files; matplotlib loads here and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from molgfn.errors import OutputError
from molgfn.machine.files import replacing_file, write_faults_named

_DOTS_PER_INCH = 150


def plot_fit(
    path: Path,
    log_target: NDArray[np.float64],
    log_p: NDArray[np.float64],
    colour: NDArray[np.float64],
    colour_label: str,
    title: str,
) -> None:
    """Draw log p of a sampler against log p of its target, with the diagonal of a perfect one.

    Args:
        path: Image file to write; its suffix is the format.
        log_target: Log-probabilities of the target, shape ``(n,)``, nats.
        log_p: Log-probabilities of the sampler, shape ``(n,)``, nats.
        colour: What colours the points, shape ``(n,)``.
        colour_label: What the colour means.
        title: One line above the plot.

    Raises:
        OutputError: The file cannot be written.
    """
    figure, axes = _points_and_diagonal(log_target, log_p, log_target, colour, colour_label)
    axes.set_xlabel("log R/Z, nats")
    axes.set_ylabel("log p of the sampler, nats")
    axes.set_title(title, fontsize="medium")
    axes.legend(["molecules", "p = R/Z"], frameon=False)
    _save(figure, path)


def plot_curves(
    path: Path,
    curves: dict[str, tuple[list[float], list[float]]],
    x_label: str,
    y_label: str,
    *,
    from_zero: bool = True,
) -> None:
    """Draw one line for each named curve.

    Args:
        path: Image file to write; its suffix is the format.
        curves: Points by name: x and y values.
        x_label: What x is.
        y_label: What y is.
        from_zero: Whether the axis of y begins at 0.

    Raises:
        OutputError: The file cannot be written.
    """
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in curves.items():
        axes.plot(x, y, label=name, linewidth=1.2)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if from_zero:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _save(figure, path)


def plot_rounds(path: Path, summary: Path) -> None:
    """Draw how the measured values, and the proxy's error, go from round to round.

    Args:
        path: Image file to write; its suffix is the format.
        summary: ``rounds.csv`` of the rounds.

    Raises:
        OutputError: The file cannot be written.
    """
    table = pd.read_csv(summary)
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    for name, label in (
        ("best", "best so far"),
        ("top_10", "mean of the 10 best"),
        ("top_100", "mean of the 100 best"),
        ("batch_mean", "mean of the batch"),
    ):
        panels[0].plot(table["round"], table[name], marker="o", markersize=3, label=label)
    panels[0].legend(frameon=False)
    for axes, name, label in zip(
        panels,
        ("best", "proxy_rmse", "circles"),
        ("measured value", "error of the proxy", "#Circles"),
        strict=True,
    ):
        if name != "best":
            axes.plot(table["round"], table[name], marker="o", markersize=3, color="black")
            axes.set_ylim(bottom=0)
        axes.set_ylabel(label)
    panels[-1].set_xlabel("round")
    panels[-1].set_xticks(table["round"])
    _save(figure, path)


def plot_parity(
    path: Path,
    measured: NDArray[np.float64],
    predicted: NDArray[np.float64],
    colour: NDArray[np.float64],
    colour_label: str,
    value: str,
) -> None:
    """Draw predictions against measured values, with the diagonal of perfect ones.

    Args:
        path: Image file to write; its suffix is the format.
        measured: Measured values, shape ``(n,)``.
        predicted: Predictions, shape ``(n,)``.
        colour: What colours the points, shape ``(n,)``.
        colour_label: What the colour means.
        value: What is measured, with its unit.

    Raises:
        OutputError: The file cannot be written.
    """
    both = np.concatenate([measured, predicted])
    figure, axes = _points_and_diagonal(measured, predicted, both, colour, colour_label)
    axes.set_aspect("equal")
    axes.set_xlabel(f"measured {value}")
    axes.set_ylabel(f"predicted {value}")
    _save(figure, path)


def _points_and_diagonal(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    span: NDArray[np.float64],
    colour: NDArray[np.float64],
    colour_label: str,
) -> tuple[Figure, Axes]:
    """Coloured points with the diagonal over the range of ``span``."""
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    axes = figure.subplots()
    points = axes.scatter(x, y, c=colour, s=6, cmap="viridis", linewidths=0)
    ends = [float(np.min(span)), float(np.max(span))]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    figure.colorbar(points, label=colour_label)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    try:
        with replacing_file(path) as stream, write_faults_named(path):
            figure.savefig(stream, dpi=_DOTS_PER_INCH, format=path.suffix[1:] or None)
    except ValueError as error:  # a suffix that is no format
        raise OutputError(f"cannot write {path}: {error}") from error
