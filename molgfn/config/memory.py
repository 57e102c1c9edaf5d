"""What a training needs of memory, told before it is begun."""

from __future__ import annotations

from molgfn.config.schema import Config
from molgfn.errors import ConfigError
from molgfn.machine.memory import available_memory

#: Libraries, proxy and vocabulary, bytes.
_BASE = 400e6
#: A process that scores, bytes.
_WORKER = 250e6
#: Heavy atoms of a small fragment: with as many each, this many fit into a molecule.
_SMALL_FRAGMENT = 4


def check_memory(config: Config) -> None:
    """Refuse what a training on the CPU has no memory for.

    A GPU has memory of its own; there torch says itself what it has not got.

    Raises:
        ConfigError: It needs more than there is; the setting with the largest part is named.
    """
    if config.device.startswith("cuda"):
        return
    parts = estimate_memory(config)
    needed, there = _BASE + sum(parts.values()), available_memory()
    if needed > there:
        key = max(parts, key=lambda part: parts[part])
        raise ConfigError(
            f"{key}: a training would need about {needed / 1e9:.0f} GB of memory, and there are "
            f"{there / 1e9:.0f}; lower it"
        )


def estimate_memory(config: Config) -> dict[str, float]:
    """Bytes that a training needs beside its libraries, by the setting that they grow with.

    Measured with 128 to 1024 hidden units, 3 to 30 layers and 96 to 4096 trajectories; right
    within a factor of two.
    """
    hidden, layers, train = config.policy.hidden, config.policy.layers, config.train
    n_weights = (21 + 3 * layers) * hidden**2
    n_fragments = min(
        config.limits.max_fragments, 1 + config.limits.max_heavy_atoms // _SMALL_FRAGMENT
    )
    # Four bytes each; kept of every vector of a layer for the gradient.
    per_trajectory = 4 * (10 + 19 * layers) * n_fragments * hidden
    return {
        # Weights, gradients, two moments of Adam, running average.
        f"policy.hidden {hidden} with policy.layers {layers}": 5 * 4 * n_weights,
        f"train.batch_size {train.batch_size}": train.batch_size
        * (per_trajectory / train.updates_per_step + 60 * n_fragments * hidden),
        f"train.replay_batch_size {train.replay_batch_size}": train.replay_batch_size
        * per_trajectory,
        f"train.reward_workers {train.reward_workers}": (train.reward_workers or 0) * _WORKER,
    }
