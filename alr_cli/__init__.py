"""alr: image restoration by minimising data term + lambda R(x) with a learned local regularizer."""

__version__ = "0.1.0"
