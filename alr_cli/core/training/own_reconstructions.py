"""x+ = prox_{tau f}(x - t grad Psi(view of x)): slices that a critic reconstructs itself during its training

A critic that only knows filtered backprojections does not see the artefacts of its own descent. Therefore a
pool of reconstructions descends while the critic is trained, as in persistent contrastive divergence
(Tieleman 2008). Mukherjee, Carioni, Oktem and Schoenlieb (2021) do so with an unrolled network in the place
of the descent. Each reconstruction has its clean slice, its measurement and its age, the number of its steps.
A minibatch advances some of them by two steps of priors/descent.py, and shows them as its measured side. The
other minibatches show filtered backprojections. All are seen in a random view, because a step of the descent
sees a single one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from alr_cli.core.energy import Energy
from alr_cli.core.priors.descent import PROXIMAL_STEPS, step_at
from alr_cli.core.priors.global_critic import SHIFTS, GlobalCritic, GlobalRegularizer, seen_from
from alr_cli.core.solvers.splitting import prox_within
from alr_cli.core.training.adversarial import Batch
from alr_cli.core.training.reconstructions import Reconstructions
from alr_cli.core.training.stepwise import same_shape

_POOL = 6  # minibatches
_STEPS = 2  # of the descent in a minibatch
_END = 1 / 24  # probability that a descent begins anew after a minibatch; the mean length is 48 steps
_NEW = -1  # the age of a descent that has not begun
_LEAST = 1e-3  # of the lengths by which the criterion is divided


class OwnReconstructions:
    """A source of minibatches, see `adversarial.BatchSource`, that follows a critic.

    Attributes:
        simulated: The other minibatches.
        scan: Their scan.
        share: The probability of a minibatch of own reconstructions.
        pool: Their clean slices (p, 1, N, N), measurements `y`, noise levels `sigma` (p, 1, 1, 1), present
            reconstructions `x`, and ages (p,).
    """

    scanned: ClassVar[bool] = True

    def __init__(self, simulated: Reconstructions, share: float) -> None:
        """Raises ValueError for reconstructions without a scan."""
        if simulated.scan is None:
            raise ValueError("only scans are reconstructed by a descent")
        self.simulated = simulated
        self.scan = simulated.scan
        self.share = share
        count, slice = _POOL * simulated.recipe.batch_size, simulated.pictures.shape[1:]
        self.pool = {
            "clean": torch.zeros(count, *slice),
            "y": torch.zeros(count, slice[0], *self.scan.operator.output_shape),
            "sigma": torch.zeros(count, 1, 1, 1),
            "x": torch.zeros(count, *slice),
            "age": torch.full((count,), _NEW),
        }
        self._critic: GlobalCritic | None = None

    @property
    def strength(self) -> float:
        """See `reconstructions.Sides`."""
        return self.simulated.strength

    def follow(self, critic: GlobalCritic) -> None:
        """See `reconstructions.Follows`."""
        self._critic = critic

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        own = float(torch.rand((), generator=generator)) < self.share
        batch = self._own(count, generator) if own else self.simulated.batch(count, generator)
        view = self._view(generator)
        return Batch(seen_from(batch.noisy, view), seen_from(batch.clean, view), batch.length)

    def _own(self, count: int, generator: torch.Generator) -> Batch:
        """Reconstructions that have been advanced."""
        pool = self.pool
        chosen = torch.randperm(len(pool["age"]), generator=generator)[:count]
        self._begin(chosen[pool["age"][chosen] == _NEW], generator)
        clean, y, sigma, x, age = (pool[name][chosen] for name in ("clean", "y", "sigma", "x", "age"))
        for _ in range(_STEPS):
            x, age = self.advanced(x, y, sigma.flatten(), age, self._view(generator)), age + 1
        pool["x"][chosen], pool["age"][chosen] = x, age
        ends = torch.rand(len(chosen), generator=generator) < _END
        pool["age"][chosen[ends]] = _NEW
        return Batch(x, clean, (x - clean).flatten(1).norm(dim=1).clamp_min(_LEAST))

    def _begin(self, chosen: Tensor, generator: torch.Generator) -> None:
        """Begin these descents with other slices, at their smooth backprojections."""
        if len(chosen):
            clean, y, sigma = self.simulated.measured(len(chosen), generator)
            begun = {"clean": clean, "y": y, "sigma": sigma, "x": self.scan.start(y)}
            for name, value in begun.items():
                self.pool[name][chosen] = value
            self.pool["age"][chosen] = 0

    def advanced(self, x: Tensor, y: Tensor, sigma: Tensor, age: Tensor, view: int) -> Tensor:
        """The reconstructions x (B, 1, N, N) of y after one more step; sigma and age are (B,)."""
        if self._critic is None:
            raise ValueError("there is no critic to follow")
        precision = torch.bfloat16 if self.simulated.recipe.bfloat16 else torch.float32
        regularizer = GlobalRegularizer(self._critic, precision)
        lam = 2 * self.strength * sigma
        device = next(self._critic.parameters()).device
        x, y, lam, age = x.to(device), y.to(device), lam.to(device), age.to(device)
        energy = Energy.of(self.scan.problem(y, 0, 0.0), regularizer, lam)
        denoiser, tau = step_at(regularizer, age.to(x), view, lam)
        return prox_within(energy, denoiser.denoise(x), tau, steps=PROXIMAL_STEPS).cpu()

    def state(self) -> dict[str, Tensor]:
        """The pool."""
        return self.pool

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`. Raises KeyError or ValueError if it does not fit."""
        for name, value in self.pool.items():
            value.copy_(same_shape(state[name], value))

    def _view(self, generator: torch.Generator) -> int:
        return int(torch.randint(len(SHIFTS), (), generator=generator))
