"""The model card of a proxy: what it is, what it was tested on, what it is not for."""

from __future__ import annotations

from collections import Counter
from typing import Any

from molgfn.reward.proxy.calibration import COVERAGE
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.proxy import Proxy
from molgfn.tables.columns import KCAL_MOL

#: How the test molecules differ from those learned from, by what the split kept apart.
_HELD_OUT = {
    "scaffolds": " of scaffolds that neither learning nor calibration saw",
    "clusters": (
        ", held out as clusters of similar molecules within scaffolds that learning and "
        "calibration saw"
    ),
    "molecules": ", held out at random",
}


def model_card(proxy: Proxy, data: Dataset) -> str:
    """Describe a proxy for people."""
    shape = proxy.architecture
    made = proxy.provenance
    sources = Counter(data.sources)
    by_source = ", ".join(f"{n} {name or 'of no source'}" for name, n in sources.most_common())
    lines = [
        f"# Proxy of {proxy.value_column}",
        "",
        f"Predicts `{proxy.value_column}` of a molecule from its atom graph: an ensemble of "
        f"{len(proxy.networks)} message-passing networks (GINE, width {shape.hidden}, "
        f"{shape.layers} rounds) with nine counts as further inputs. Stereo is not seen.",
        "",
        f"* Training: {len(data.molecules)} molecules{f' ({by_source})' if by_source else ''}, "
        f"values {data.targets.min():.4g} to {data.targets.max():.4g}, "
        f"SHA-256 {made.get('training_digest', 'unknown')}; they lie in `train.csv.gz`.",
        f"* Seed {made.get('seed')}; {_versions(made.get('versions', {}))}.",
        f"* How it was made: {made.get('made_by', 'unknown')}.",
    ]
    if proxy.control is not None:
        lines.append(
            f"* A control of {len(proxy.control.networks)} networks, fitted on another part of "
            "the molecules, lies beside it. It never enters a reward: where it stops agreeing "
            "with the proxy, a generator lives on the proxy's mistakes."
        )
    report = made.get("report")
    if isinstance(report, dict) and "n_test" in report:
        lines += ["", "## Test", "", *_test_lines(report)]
    lines += [
        "",
        "## Limits",
        "",
        f"* It imitates its training values, errors of these included. It was fitted on molecules "
        f"of {proxy.size.n_min} to {proxy.size.n_max} heavy atoms.",
        "* Predictions far from the training molecules (`nearest_train_similarity` below about "
        "0.3) are extrapolations. A generator seeks these: see `reward.guard`.",
    ]
    if proxy.unit == KCAL_MOL:
        lines.append("* Docking energies rank molecules roughly; they are no affinities.")
    return "\n".join(lines) + "\n"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _test_lines(report: dict[str, Any]) -> list[str]:
    lines = [
        f"{report['n_test']} molecules{_HELD_OUT[report.get('kept_apart', 'scaffolds')]}; "
        f"{report['n_train']} to learn from.",
        "",
        "| molecules | model | RMSE | R² | Spearman | R² beyond size | Spearman beyond size |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [("all", model, report[model]) for model in ("ensemble", "random_forest", "heavy_atoms")]
    rows += [(name, "ensemble", row) for name, row in report.get("sources", {}).items()]
    names = ("rmse", "r2", "spearman", "size_residual_r2", "size_residual_spearman")
    for molecules, model, row in rows:
        numbers = " | ".join(_number(row[name]) if name in row else "" for name in names)
        lines.append(f"| {molecules} | {model} | {numbers} |")
    std = report["std"]
    ranks = ""
    if "spearman_with_error" in std:
        ranks = (
            "; the standard deviation ranks the size of the errors with Spearman "
            f"{std['spearman_with_error']}"
        )
    spread = f"Errors over standard deviations have a spread of {std['z_std']} (1 is right)"
    lines += ["", f"{spread}{ranks}."]
    if "interval_coverage" in report:
        lines.append(
            f"The conformal interval of {COVERAGE:.0%} held {report['interval_coverage']:.0%} of "
            "the test values."
        )
    if cautions := report.get("cautions"):
        lines += ["", *(f"* **Caution**: {caution}." for caution in cautions)]
    return lines


def _number(value: float) -> str:
    """Three decimals, or the exponent of an error that has none of them."""
    return f"{value:.1e}" if 0.0 < value < 5e-4 else f"{value:.3f}"
