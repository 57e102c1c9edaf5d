"""What the fit of a proxy tells its user."""

from __future__ import annotations

from typing import Any

_MODELS = {
    "ensemble": "this ensemble",
    "random_forest": "random forest",
    "heavy_atoms": "heavy atoms alone",
}


_HELD_OUT = {
    "scaffolds": "of unseen scaffolds",
    "clusters": "of unseen clusters within scaffolds",
    "molecules": "held out at random",
}


def fit_lines(report: dict[str, Any]) -> list[str]:
    """The test of a fit as a table of text, one model a line, then what it means.

    A measure that the test is too small or too uniform for is a dash.
    """
    std = report["std"]
    lines = [
        f"test on {report['n_test']} molecules {_HELD_OUT[report['kept_apart']]}, "
        f"{report['n_train']} to learn from:",
        f"{'':22}{'RMSE':>8}{'R2':>8}{'Spearman':>10}",
    ]
    for key, label in _MODELS.items():
        row = report[key]
        # Errors of concentrations in mol/l have no third decimal.
        rmse = f"{row['rmse']:.3f}" if row["rmse"] >= 0.01 else f"{row['rmse']:.1e}"
        r2, spearman = (f"{row[name]:.3f}" if name in row else "-" for name in ("r2", "spearman"))
        lines.append(f"{label:22}{rmse:>8}{r2:>8}{spearman:>10}")
    lines += [
        "more with molgfn proxy evaluate",
        f"standard deviation: errors / std have spread {std['z_std']} (1 is right), "
        f"{std['within_2_std']:.0%} of the errors within 2 std (95 % is right)",
    ]
    if not report["beats_random_forest"]:
        lines.append("WARNING: the random forest predicts better than the ensemble on these data")
    lines += [f"CAUTION: {caution}" for caution in report["cautions"]]
    return lines
