"""Lengths for which a Fourier transform is fast, compared with SciPy's."""

import scipy.fft

from alr_cli.core.numerics.fast_lengths import fast_length


def test_they_are_those_of_scipy() -> None:
    lengths = [*range(1, 700), 4001, 6012, 12289]
    assert [fast_length(n) for n in lengths] == [scipy.fft.next_fast_len(n, real=True) for n in lengths]
