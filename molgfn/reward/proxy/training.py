"""Fitting one network of the ensemble, with early stopping on molecules it does not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from molgfn.errors import NumericalError
from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.features import GraphBatch, Graphs
from molgfn.reward.proxy.member import ProxyNetwork


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How one network is fitted.

    Attributes:
        epochs: Most passes over the training molecules.
        patience: Stop after this many epochs without a better validation error.
        batch_size: Molecules per step.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        averaging: Decay per step of the averaged weights, which are the ones kept.
    """

    epochs: int = 60
    patience: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    averaging: float = 0.98


def fit_network(
    graphs: Graphs,
    targets: NDArray[np.float64],
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    architecture: Architecture,
    settings: TrainingSettings,
    *,
    seed: int,
    on_epoch: Callable[[], None],
    bounds: NDArray[np.int64] | None = None,
) -> ProxyNetwork:
    """Fit one network and keep its averaged weights of the epoch with least validation error.

    Args:
        graphs: Graphs of all molecules.
        targets: Standardised targets of all molecules, shape ``(len(graphs),)``.
        train: Indices of the training molecules.
        valid: Indices of the molecules for early stopping; without any, all epochs are trained
            and the last weights kept.
        architecture: Shape of the network.
        settings: How to fit.
        seed: Seed of initial weights, dropout and batch order.
        on_epoch: Called after every epoch, for progress; called for the epochs that early
            stopping saves, too.
        bounds: 1 where a prediction above the target is as good as one on it, -1 where one below
            is, 0 elsewhere, shape ``(len(graphs),)``; default: 0 everywhere.

    Raises:
        NumericalError: The loss became NaN or infinite.
    """
    # Layers and dropout draw from torch's global stream; the caller's stays as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _new_network(graphs[train], architecture)
        signs = np.zeros(len(targets), dtype=np.int64) if bounds is None else bounds
        return _run(network, graphs, targets, signs, train, valid, settings, seed, on_epoch)


def _new_network(graphs: Graphs, architecture: Architecture) -> ProxyNetwork:
    network = ProxyNetwork(architecture)
    descriptors = graphs.descriptors
    network.descriptor_mean.copy_(torch.from_numpy(descriptors.mean(axis=0)))
    # A descriptor that never varies in training says nothing: leave it near zero, not infinite.
    sd = np.maximum(descriptors.std(axis=0), 0.05)
    network.descriptor_sd.copy_(torch.from_numpy(sd))
    return network


def _run(
    network: ProxyNetwork,
    graphs: Graphs,
    targets: NDArray[np.float64],
    bounds: NDArray[np.int64],
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    settings: TrainingSettings,
    seed: int,
    on_epoch: Callable[[], None],
) -> ProxyNetwork:
    rng = np.random.default_rng(seed)
    values, signs = torch.from_numpy(targets.astype(np.float32)), torch.from_numpy(bounds)
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    n_steps = settings.epochs * -(-len(train) // settings.batch_size)
    # The warm-up of OneCycleLR divides by its length less one, which is zero for a tenth of 10.
    warm_up = 0.1 if n_steps != 10 else 0.09
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=n_steps, pct_start=warm_up
    )
    held_out = graphs[valid].batch() if len(valid) else None
    best_error, best_epoch, best_state = float("inf"), -1, averaged.module.state_dict()
    for epoch in range(settings.epochs):
        network.train()
        order = rng.permutation(train)
        for start in range(0, len(order), settings.batch_size):
            chosen = order[start : start + settings.batch_size]
            loss = _loss(network(graphs[chosen].batch()), values[chosen], signs[chosen])
            if not torch.isfinite(loss):
                raise NumericalError(
                    f"the proxy's loss is {loss.item()} in epoch {epoch}; "
                    "look for extreme target values or lower the learning rate"
                )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
        on_epoch()
        if held_out is None:
            best_state = averaged.module.state_dict()
            continue
        error = _error(averaged.module, held_out, values[valid], signs[valid])
        if error < best_error:
            best_error, best_epoch = error, epoch
            best_state = {k: v.clone() for k, v in averaged.module.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            for _ in range(settings.epochs - epoch - 1):
                on_epoch()
            break
    network.load_state_dict(best_state)
    return network.eval()


def _loss(predicted: torch.Tensor, values: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    """Mean squared error; beyond a bound, on the side where the true value lies, there is none."""
    reached = predicted.detach()
    return mse_loss(predicted, torch.where(signs * (reached - values) > 0, reached, values))


def _error(
    network: torch.nn.Module, batch: GraphBatch, values: torch.Tensor, signs: torch.Tensor
) -> float:
    network.eval()
    with torch.inference_mode():
        return float(_loss(network(batch), values, signs))
