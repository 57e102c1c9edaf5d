"""What the fit of a proxy tells its user."""

from __future__ import annotations

from typing import Any

_MODELS = {
    "ensemble": "this ensemble",
    "random_forest": "random forest",
    "heavy_atoms": "heavy atoms alone",
}


def fit_lines(report: dict[str, Any]) -> list[str]:
    """The test of a fit as a table of text, one model a line, then what it means."""
    std = report["std"]
    lines = [
        f"test on {report['n_test']} molecules of unseen scaffolds, "
        f"{report['n_train']} to learn from:",
        f"{'':22}{'RMSE':>8}{'R2':>8}{'Spearman':>10}",
    ]
    for key, label in _MODELS.items():
        row = report[key]
        lines.append(f"{label:22}{row['rmse']:8.3f}{row['r2']:8.3f}{row['spearman']:10.3f}")
    lines += [
        "more with molgfn proxy evaluate",
        f"standard deviation: errors / std have spread {std['z_std']} (1 is right), "
        f"{std['within_2_std']:.0%} of the errors within 2 std (95 % is right)",
    ]
    if not report["beats_random_forest"]:
        lines.append("WARNING: the random forest predicts better than the ensemble on these data")
    return lines
