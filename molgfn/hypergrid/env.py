"""The hypergrid: a toy with known modes, and proof that nothing in the learner is chemistry."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from molgfn.errors import ConfigError
from molgfn.gfn.draw import draw_uniform
from molgfn.gfn.space import Space
from molgfn.hypergrid.states import HypergridStates

#: Reward of the shell around the centre and of the bands inside the shell, on top of R0.
SHELL_REWARD, BAND_REWARD = 0.5, 2.0


class Hypergrid:
    r"""A walk from the origin of a grid that only goes up and may stop anywhere.

    An action is one integer: the dimension whose coordinate grows by one, or D to stop. The
    reward lies at the corners of the cube, away from its middle and from the walls:

    .. math:: R(x) = R_0 + \tfrac12 \prod_d 1[|u_d| > \tfrac14] + 2 \prod_d 1[0.3 < |u_d| < 0.4],
              \quad u_d = \frac{x_d}{H - 1} - \frac12

    The second product marks 2**D modes, which for a side of 8 are one cell each (coordinates 1
    and 6). The smaller R0, the deeper the valleys between them. States have no symmetry: m = k =
    1 on every edge, so the local log P_B is the whole of it.

    References:
        Bengio et al. 2021, Flow network based generative models, section 4.1.
        https://arxiv.org/abs/2106.04399
    """

    def __init__(self, n_dimensions: int = 4, side: int = 8, r0: float = 0.1) -> None:
        """Set up the grid on the CPU; :meth:`to` moves it.

        Args:
            n_dimensions: D.
            side: H, the number of cells along every dimension.
            r0: Reward between the modes, > 0.

        Raises:
            ConfigError: A value is out of range, the side leaves no cell for the modes, or the
                grid has too many cells to number.
        """
        if n_dimensions < 1:
            raise ConfigError(f"n_dimensions must be at least 1, came {n_dimensions}")
        if side < 2:
            raise ConfigError(f"side must be at least 2, came {side}")
        if not (math.isfinite(r0) and r0 > 0):
            raise ConfigError(f"r0 must be a finite number above 0, came {r0}")
        if side**n_dimensions >= 2**63:
            raise ConfigError(
                f"a grid of {side}^{n_dimensions} cells is too large; it must stay below 2^63"
            )
        self.n_dimensions = n_dimensions
        self.side = side
        self.r0 = r0
        self.to("cpu")
        if not self._in_band(torch.arange(side)).any():
            raise ConfigError(
                f"a side of {side} cells leaves none between 0.3 and 0.4 from the middle, where "
                "the modes lie; use 7 to 10, or 12 and more"
            )

    def to(self, device: torch.device | str) -> Hypergrid:
        """Choose where new states live, in place.

        Args:
            device: The device.

        Returns:
            The environment itself.
        """
        self.device = torch.device(device)
        self.lockstep = self.device.type != "cpu"
        return self

    @property
    def stop(self) -> int:
        """The stop action, D."""
        return self.n_dimensions

    @property
    def n_cells(self) -> int:
        """Number of cells, H**D: states that are not stopped, and as many that are."""
        return int(self.side**self.n_dimensions)

    def initial_states(self, n_states: int) -> HypergridStates:
        """Make a batch of the initial state, the origin.

        Args:
            n_states: B.

        Returns:
            The batch.
        """
        return HypergridStates(
            torch.zeros(n_states, self.n_dimensions, dtype=torch.long, device=self.device),
            torch.zeros(n_states, dtype=torch.bool, device=self.device),
        )

    def is_initial(self, states: HypergridStates) -> Tensor:
        """Tell which states are the origin and not stopped there.

        Args:
            states: B states.

        Returns:
            Mask, shape ``(B,)``.
        """
        return (states.coordinates == 0).all(1) & ~states.stopped

    # ------------------------------------------------------------------ moves

    def legal_mask(self, states: HypergridStates) -> Tensor:
        """Mask the actions; True = allowed. Every state may stop.

        Args:
            states: B states, none of them stopped.

        Returns:
            Shape ``(B, D + 1)``; the last column is stop.
        """
        inside = states.coordinates < self.side - 1
        return torch.cat([inside, torch.ones_like(states.stopped)[:, None]], 1)

    @property
    def max_steps(self) -> int:
        """Length of the longest trajectory, stop included."""
        return self.n_dimensions * (self.side - 1) + 1

    def compact(self, states: HypergridStates, n_steps: int) -> HypergridStates:
        """Return the states: all take the same room.

        Args:
            states: B states.
            n_steps: Ignored.

        Returns:
            The same states.
        """
        return states

    def stop_actions(self, n_states: int) -> Tensor:
        """Make the action that stops.

        Args:
            n_states: B.

        Returns:
            Shape ``(B, 1)``.
        """
        return torch.full((n_states, 1), self.stop, device=self.device)

    def step(self, states: HypergridStates, actions: Tensor) -> HypergridStates:
        """Take one action in every state; a stopped state stays as it is.

        Args:
            states: B states.
            actions: A legal action of each, shape ``(B, 1)``.

        Returns:
            The next states.
        """
        going = ~states.stopped
        stops = actions.squeeze(1) == self.stop
        moved = states.coordinates + self._direction(actions) * going[:, None]
        return HypergridStates(moved, states.stopped | stops)

    def log_pb(self, following: HypergridStates, actions: Tensor) -> Tensor:
        """Compute log P_B of steps: uniform over the backward steps of a state.

        Args:
            following: B states that steps have led to.
            actions: The actions of these steps, which do not matter, shape ``(B, 1)``.

        Returns:
            Shape ``(B,)``, nats.
        """
        n_parents = (following.coordinates > 0).sum(1).clamp(min=1)
        return -torch.where(following.stopped, 1, n_parents).float().log()

    def _direction(self, actions: Tensor) -> Tensor:
        """Unit vectors of actions (B, 1), zero for stop, shape (B, D)."""
        return (actions == torch.arange(self.n_dimensions, device=actions.device)).long()

    def _undo(self, states: HypergridStates, actions: Tensor) -> HypergridStates:
        return HypergridStates(
            states.coordinates - self._direction(actions), torch.zeros_like(states.stopped)
        )

    def _backward_mask(self, states: HypergridStates) -> Tensor:
        """Actions that can have led to every state, shape (B, D + 1)."""
        came_up = (states.coordinates > 0) & ~states.stopped[:, None]
        return torch.cat([came_up, states.stopped[:, None]], 1)

    def sample_backward(
        self, states: HypergridStates, *, generator: torch.Generator
    ) -> tuple[HypergridStates, Tensor]:
        """Take one backward step, uniform over the possible ones.

        Args:
            states: B states; what comes out for an initial one means nothing.
            generator: Source of randomness.

        Returns:
            The parents; the actions that lead back, ``(B, 1)``.
        """
        actions = draw_uniform(self._backward_mask(states), generator)[:, None]
        return self._undo(states, actions), actions

    def parents(self, states: HypergridStates) -> tuple[Tensor, HypergridStates, Tensor, Tensor]:
        """Take every backward step: undo the stop, or lower every coordinate above 0 in turn.

        Args:
            states: B states; an initial one has no parent.

        Returns:
            For each of the E backward steps the number of its state, ascending, ``(E,)``; the
            parents; the forward actions ``(E, 1)``; log P_B, ``(E,)``, nats.
        """
        index, action = self._backward_mask(states).nonzero(as_tuple=True)
        following, actions = states[index], action[:, None]
        return index, self._undo(following, actions), actions, self.log_pb(following, actions)

    # ------------------------------------------------------------------ identity

    def log_symmetry(self, states: HypergridStates) -> Tensor:
        """Return zeros: no two actions of a state lead to the same next state.

        Args:
            states: B states.

        Returns:
            Shape ``(B,)``, nats.
        """
        return torch.zeros(len(states), device=states.device)

    def cell_numbers(self, states: HypergridStates) -> Tensor:
        """Number the cells in the order of counting, the last coordinate fastest.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            From 0 to ``n_cells`` - 1, shape ``(B,)``.
        """
        places = [self.side**d for d in reversed(range(self.n_dimensions))]
        return (states.coordinates * torch.tensor(places, device=states.device)).sum(1)

    def cells(self, numbers: Tensor) -> HypergridStates:
        """Undo :meth:`cell_numbers`.

        Args:
            numbers: Shape ``(B,)``.

        Returns:
            States that are not stopped.
        """
        places = [self.side**d for d in reversed(range(self.n_dimensions))]
        digits = numbers[:, None] // torch.tensor(places, device=numbers.device) % self.side
        return HypergridStates(digits, torch.zeros_like(numbers, dtype=torch.bool))

    def terminal_states(self) -> HypergridStates:
        """List every terminal state, the rows of an exact comparison.

        Returns:
            ``n_cells`` states in the order of :meth:`cell_numbers`.
        """
        cells = self.cells(torch.arange(self.n_cells, device=self.device))
        return HypergridStates(cells.coordinates, torch.ones_like(cells.stopped))

    def space(self, max_states: int = 200_000) -> Space[HypergridStates]:
        """List the grid with all its steps, m = k = 1.

        Args:
            max_states: Give up beyond this number of cells.

        Returns:
            The cells in the order of :meth:`cell_numbers`; all may stop.

        Raises:
            ConfigError: There are more than ``max_states``.
        """
        if self.n_cells > max_states:
            raise ConfigError(
                f"a grid of {self.side}^{self.n_dimensions} cells is too large to list; "
                f"the limit is {max_states}"
            )
        states = self.cells(torch.arange(self.n_cells, device=self.device))
        parent, action = self.legal_mask(states)[:, :-1].nonzero(as_tuple=True)
        child = self.step(states[parent], action[:, None])
        one = torch.ones_like(parent)
        return Space(
            states=states,
            keys=["", *self.keys(states)[1:]],
            depth=states.coordinates.sum(1),
            may_stop=torch.ones_like(states.stopped),
            log_symmetry=self.log_symmetry(states).double(),
            n_leaves=(states.coordinates > 0).sum(1),
            edge_parent=parent,
            edge_child=self.cell_numbers(child),
            edge_m=one,
            edge_k=one.clone(),
            action_state=parent.clone(),
            actions=action[:, None],
            action_edge=torch.arange(len(parent), device=self.device),
            stop_action=torch.tensor([self.stop], device=self.device),
        )

    def keys(self, states: HypergridStates) -> list[str]:
        """Compute canonical keys, equal exactly for equal positions.

        Args:
            states: B states; ``stopped`` is not part of the key.

        Returns:
            One key per state, such as ``"0,6,1,1"``.
        """
        return [",".join(map(str, row)) for row in states.coordinates.tolist()]

    # ------------------------------------------------------------------ reward

    def _in_shell(self, coordinates: Tensor) -> Tensor:
        # In whole numbers: 0.3 and 0.4 have no exact float, and cells lie on these borders.
        twice_offset = (2 * coordinates - (self.side - 1)).abs()
        return 2 * twice_offset > self.side - 1

    def _in_band(self, coordinates: Tensor) -> Tensor:
        five_offsets = 5 * (2 * coordinates - (self.side - 1)).abs()
        return (five_offsets > 3 * (self.side - 1)) & (five_offsets < 4 * (self.side - 1))

    def log_reward(self, states: HypergridStates) -> Tensor:
        """Compute the log reward, shifted so that it is 0 in the modes.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            log(R(x) / (R0 + 2.5)), at most 0, shape ``(B,)``, nats.
        """
        shell = self._in_shell(states.coordinates).all(1).double()
        band = self._in_band(states.coordinates).all(1).double()
        reward = self.r0 + SHELL_REWARD * shell + BAND_REWARD * band
        return (reward / (self.r0 + SHELL_REWARD + BAND_REWARD)).log().float()

    @property
    def n_modes(self) -> int:
        """Number of modes, 2**D: below or above the middle in every dimension."""
        return int(2**self.n_dimensions)

    def modes(self, states: HypergridStates) -> Tensor:
        """Tell in which mode every state lies.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            Number of the mode, whose bit d is set where coordinate d lies above the middle, or
            -1 outside of every mode; shape ``(B,)``.
        """
        above = (2 * states.coordinates > self.side - 1).long()
        bits = 2 ** torch.arange(self.n_dimensions, device=states.device)
        inside = self._in_band(states.coordinates).all(1)
        return torch.where(inside, (above * bits).sum(1), -1)
