"""kind -> class: every kind of prior that a weights file can store

To add a kind of prior, write one file with a class that has the members of `protocol.StoredPrior`, and add it
to the line below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alr_cli.core.priors.critic import CriticPrior
from alr_cli.core.priors.experts import ExpertsPrior
from alr_cli.core.priors.flow import FlowPrior
from alr_cli.core.priors.global_critic import GlobalPrior
from alr_cli.core.priors.gradient_network import GradientPrior
from alr_cli.core.priors.postprocessor import PostProcessorPrior
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.protocol import LambdaOfSigma, StoredPrior
from alr_cli.core.priors.unrolled import UnrolledPrior

PRIORS: dict[str, type[StoredPrior]] = {
    kind.kind: kind
    for kind in (
        CriticPrior,
        ExpertsPrior,
        FlowPrior,
        GlobalPrior,
        GradientPrior,
        PostProcessorPrior,
        PotentialPrior,
        UnrolledPrior,
    )
}


def build(described: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma) -> StoredPrior:
    """A prior from its `description`; its numbers are loaded later.

    Files of the first versions name no kind and contain a deep critic. Raises TypeError or ValueError for an
    invalid description.
    """
    fields = dict(described)
    kind = fields.pop("kind", CriticPrior.kind)
    if kind not in PRIORS:
        raise ValueError(f"unknown kind of prior {kind!r}")
    return PRIORS[kind].described(fields, sigma_range, lam)
