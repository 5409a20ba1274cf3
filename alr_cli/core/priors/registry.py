"""The two kinds of critics: a deep one (critic.py) and fields of experts (experts.py)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from alr_cli.core.priors.critic import Architecture, Critic
from alr_cli.core.priors.experts import Experts, ExpertsArchitecture

AnyCritic: TypeAlias = Critic | Experts


def build(described: Mapping[str, Any]) -> AnyCritic:
    """The inverse of `architecture.as_dict()`, its numbers still to be loaded. Raises TypeError or ValueError
    for what describes none."""
    fields = dict(described)
    if fields.pop("kind", "deep") == "experts":
        return Experts(ExpertsArchitecture(**fields))
    return Critic(Architecture(**fields))
