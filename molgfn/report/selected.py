"""Why fewer molecules were selected than asked for."""

from __future__ import annotations


def shortfall(
    n_selected: int,
    n_candidates: int,
    n_over_cap: int,
    *,
    min_distance: float,
    max_per_scaffold: int | None,
) -> str:
    """Say what kept a selection small, and the cure."""
    if n_selected == n_candidates:
        return "there are no further candidates; lower --top-k or give more molecules"
    if n_over_cap == 0:
        return (
            f"no further one of the {n_candidates} candidates is {min_distance} from all of them; "
            "lower --min-distance or --top-k, or give more molecules"
        )
    return (
        f"at most {max_per_scaffold} per scaffold leaves out {n_over_cap} of the {n_candidates} "
        f"candidates, and no further one is {min_distance} from all of them; raise "
        "--max-per-scaffold, lower --min-distance or --top-k, or give more molecules"
    )
