"""The priors of one batch. Names are checked early; each prior is loaded once, when the first picture needs
it."""

from typing import TYPE_CHECKING

from alr_cli.cli.options.common import ComputeOptions, ModelOptions
from alr_cli.errors import AlrError

if TYPE_CHECKING:
    from alr_cli.core.restore import Restorer
    from alr_cli.core.settings import Settings


class ModelFailure(AlrError):
    """A prior or its device cannot be used, so no picture of the batch can be restored."""

    def __init__(self, cause: AlrError) -> None:
        super().__init__(str(cause))
        self.exit_code = cause.exit_code


def build_restorer(name: str, model: ModelOptions, compute: ComputeOptions) -> "Restorer":
    """Load a prior by name and put it on its device. This imports torch. Tests replace this function."""
    from alr_cli.core.numerics import devices
    from alr_cli.core.restore import Restorer
    from alr_cli.files.weights import load_weights

    devices.set_threads(compute.threads)
    return Restorer(load_weights(name), settings_of(model, compute))


def settings_of(model: ModelOptions, compute: ComputeOptions) -> "Settings":
    """The options as settings of the core. This imports torch."""
    from alr_cli.core.settings import Settings

    return Settings(
        strength=1.0 if model.strength is None else model.strength,
        lam=model.lam,
        solver=model.solver,
        max_iter=model.max_iter,
        tol=model.tol,
        tile=compute.tile,
        precision=compute.precision,
        device=compute.device,
        clip_aware=model.clip_aware,
        formulation=model.formulation,
        fast=model.fast,
    )


class Models:
    """A restorer for each kind of picture, created when the first picture of that kind comes."""

    def __init__(self, model: ModelOptions, compute: ComputeOptions) -> None:
        self._model = model
        self._compute = compute
        self._loaded: dict[str, Restorer] = {}

    def check(self) -> None:
        """Refuse unusable weights by their header alone. Raises WeightsError."""
        if self._model.weights is not None:
            from alr_cli.files.weights import check_prior

            check_prior(self._model.weights)

    def described(self) -> dict[str, object]:
        """What a restoration depends on: the options, and the hash of weights that were named."""
        from alr_cli.files.weights import read_metadata

        named = self._model.weights
        sha256 = None if named is None else read_metadata(named)["sha256"]
        return {"model": self._model, "compute": self._compute, "weights": sha256}

    def restorer(self, channels: int, held: bool = False, wide: bool = False) -> "Restorer":
        """The restorer with the weights of -w, or else with the shipped weights that fit.

        Args:
            channels: Channels of the picture.
            held: Whether pixels are missing and the others known exactly.
            wide: Whether a wide prior is best, unless a certain solver is asked for.

        Raises:
            ModelFailure: The weights cannot be used.
        """
        from alr_cli.files.weights import default_name

        name = self._model.weights or default_name(
            channels, held, wide and not settings_of(self._model, self._compute).descends
        )
        if name not in self._loaded:
            try:
                self._loaded[name] = build_restorer(name, self._model, self._compute)
            except AlrError as error:
                raise ModelFailure(error) from error
        return self._loaded[name]
