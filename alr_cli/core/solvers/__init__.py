"""Algorithms that minimise an objective. Each is a frozen dataclass with its own parameters; `solve` runs
it."""

from alr_cli.core.solvers.adam import Adam as Adam
from alr_cli.core.solvers.base import Solution as Solution
from alr_cli.core.solvers.base import solve as solve
from alr_cli.core.solvers.line_search import GradientDescent as GradientDescent
from alr_cli.core.solvers.line_search import Nmapg as Nmapg
from alr_cli.core.solvers.preconditioned import Preconditioned as Preconditioned
