"""Ways to minimise an objective: each a frozen dataclass with its own knobs, run by `solve`."""

from alr_cli.core.solvers.adam import Adam as Adam
from alr_cli.core.solvers.base import Solution as Solution
from alr_cli.core.solvers.base import solve as solve
from alr_cli.core.solvers.line_search import GradientDescent as GradientDescent
from alr_cli.core.solvers.line_search import Nmapg as Nmapg
from alr_cli.core.solvers.preconditioned import Preconditioned as Preconditioned
