"""The critics of one batch: checked by name early, loaded when the first picture is ready, once each."""

from typing import TYPE_CHECKING

from alr_cli.cli.options.common import ComputeOptions, ModelOptions
from alr_cli.errors import AlrError

if TYPE_CHECKING:
    from alr_cli.core.restore import Restorer, Settings


class ModelFailure(AlrError):
    """The critic or its device is unusable: no picture of the batch can be restored."""

    def __init__(self, cause: AlrError) -> None:
        super().__init__(str(cause))
        self.exit_code = cause.exit_code


def build_restorer(name: str, model: ModelOptions, compute: ComputeOptions) -> "Restorer":
    """Load the critic `name` and put it on its device: here torch is imported. The tests' seam."""
    from alr_cli.core.numerics import devices
    from alr_cli.core.restore import Restorer
    from alr_cli.files.weights import load_weights

    devices.set_threads(compute.threads)
    return Restorer(load_weights(name), settings_of(model, compute))


def settings_of(model: ModelOptions, compute: ComputeOptions) -> "Settings":
    """What was asked for, as the core knows it: here torch is imported."""
    from alr_cli.core.restore import Settings

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
    """A restorer for each kind of picture, made when the first of its kind comes."""

    def __init__(self, model: ModelOptions, compute: ComputeOptions) -> None:
        self._model = model
        self._compute = compute
        self._loaded: dict[str, Restorer] = {}

    def check(self) -> None:
        """Refuse weights that cannot be used, from their header alone. Raises WeightsError."""
        if self._model.weights is not None:
            from alr_cli.files.weights import read_metadata

            read_metadata(self._model.weights)

    def described(self) -> dict[str, object]:
        """What a restoration depends on: the options, and the hash of weights that are named."""
        from alr_cli.files.weights import read_metadata

        named = self._model.weights
        sha256 = None if named is None else read_metadata(named)["sha256"]
        return {"model": self._model, "compute": self._compute, "weights": sha256}

    def restorer(self, channels: int, held: bool = False, wide: bool = False) -> "Restorer":
        """The restorer for pictures with this number of channels: that of -w, else of the shipped prior
        that fits. held: whose pixels are missing or exactly known.  wide: which a prior that sees far
        restores best, unless a descent of a kind is asked for.

        Raises ModelFailure.
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
