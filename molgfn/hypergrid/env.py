"""The hypergrid: a toy with known modes, and proof that nothing in the learner is chemistry."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from molgfn.errors import ConfigError
from molgfn.gfn.discrete import DiscreteEnvironment, RowStates
from molgfn.gfn.space import Space

#: Reward of the shell around the centre and of the bands inside the shell, on top of R0.
SHELL_REWARD, BAND_REWARD = 0.5, 2.0


class Hypergrid(DiscreteEnvironment):
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

        Raises:
            ConfigError: A value is out of range, the side leaves no cell for the modes, or the
                grid has too many cells to number.
        """
        if n_dimensions < 1:
            raise ConfigError(f"n_dimensions must be at least 1, got {n_dimensions}")
        if side < 2:
            raise ConfigError(f"side must be at least 2, got {side}")
        if not (math.isfinite(r0) and r0 > 0):
            raise ConfigError(f"r0 must be a finite number above 0, got {r0}")
        if side**n_dimensions >= 2**63:
            raise ConfigError(
                f"a grid of {side}^{n_dimensions} cells is too large; it must stay below 2^63"
            )
        super().__init__(n_dimensions, side, n_dimensions, n_dimensions * (side - 1) + 1)
        self.side = side
        self.r0 = r0
        if not self._in_band(torch.arange(side)).any():
            raise ConfigError(
                f"a side of {side} cells leaves none between 0.3 and 0.4 from the middle, where "
                "the modes lie; use 7 to 10, or 12 and more"
            )

    @property
    def n_dimensions(self) -> int:
        """D."""
        return self.n_columns

    @property
    def n_cells(self) -> int:
        """Number of cells, H**D: states that are not stopped, and as many that are."""
        return int(self.side**self.n_dimensions)

    def forward_mask(self, values: Tensor) -> Tensor:
        """Coordinates below the upper wall, which may grow, shape ``(B, D)``."""
        return values < self.side - 1

    def backward_mask(self, values: Tensor) -> Tensor:
        """Coordinates above 0, which may have grown, shape ``(B, D)``."""
        return values > 0

    def apply(self, values: Tensor, actions: Tensor) -> Tensor:
        """Let one coordinate of each position grow by one."""
        return values + self._direction(actions)

    def undo(self, values: Tensor, actions: Tensor) -> Tensor:
        """Lower one coordinate of each position by one."""
        return values - self._direction(actions)

    def _direction(self, actions: Tensor) -> Tensor:
        """Unit vectors of actions (B,), shape (B, D)."""
        return (actions[:, None] == torch.arange(self.n_dimensions, device=actions.device)).long()

    def cell_numbers(self, states: RowStates) -> Tensor:
        """Number the cells in the order of counting, the last coordinate fastest.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            From 0 to ``n_cells`` - 1, shape ``(B,)``.
        """
        places = [self.side**d for d in reversed(range(self.n_dimensions))]
        return (states.values * torch.tensor(places, device=states.device)).sum(1)

    def cells(self, numbers: Tensor) -> RowStates:
        """Undo :meth:`cell_numbers`.

        Args:
            numbers: Shape ``(B,)``.

        Returns:
            States that are not stopped.
        """
        places = [self.side**d for d in reversed(range(self.n_dimensions))]
        digits = numbers[:, None] // torch.tensor(places, device=numbers.device) % self.side
        return RowStates(digits, torch.zeros_like(numbers, dtype=torch.bool))

    def terminal_states(self) -> RowStates:
        """List every terminal state, the rows of an exact comparison.

        Returns:
            ``n_cells`` states in the order of :meth:`cell_numbers`.
        """
        cells = self.cells(torch.arange(self.n_cells, device=self.device))
        return RowStates(cells.values, torch.ones_like(cells.stopped))

    def space(self, max_states: int = 200_000) -> Space[RowStates]:
        """List the grid in the order of :meth:`cell_numbers`; all cells may stop.

        Raises:
            ConfigError: There are more than ``max_states`` cells.
        """
        if self.n_cells > max_states:
            raise ConfigError(
                f"a grid of {self.side}^{self.n_dimensions} cells is too large to list; "
                f"the limit is {max_states}"
            )
        return super().space(max_states)

    # ------------------------------------------------------------------ reward

    def _in_shell(self, coordinates: Tensor) -> Tensor:
        # In whole numbers: 0.3 and 0.4 have no exact float, and cells lie on these borders.
        twice_offset = (2 * coordinates - (self.side - 1)).abs()
        return 2 * twice_offset > self.side - 1

    def _in_band(self, coordinates: Tensor) -> Tensor:
        five_offsets = 5 * (2 * coordinates - (self.side - 1)).abs()
        return (five_offsets > 3 * (self.side - 1)) & (five_offsets < 4 * (self.side - 1))

    def log_reward(self, states: RowStates) -> Tensor:
        """Compute the log reward, shifted so that it is 0 in the modes.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            log(R(x) / (R0 + 2.5)), at most 0, shape ``(B,)``, nats.
        """
        shell = self._in_shell(states.values).all(1).double()
        band = self._in_band(states.values).all(1).double()
        reward = self.r0 + SHELL_REWARD * shell + BAND_REWARD * band
        return (reward / (self.r0 + SHELL_REWARD + BAND_REWARD)).log().float()

    @property
    def n_modes(self) -> int:
        """Number of modes, 2**D: below or above the middle in every dimension."""
        return int(2**self.n_dimensions)

    def modes(self, states: RowStates) -> Tensor:
        """Tell in which mode every state lies.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            Number of the mode, whose bit d is set where coordinate d lies above the middle, or
            -1 outside of every mode; shape ``(B,)``.
        """
        above = (2 * states.values > self.side - 1).long()
        bits = 2 ** torch.arange(self.n_dimensions, device=states.device)
        inside = self._in_band(states.values).all(1)
        return torch.where(inside, (above * bits).sum(1), -1)
