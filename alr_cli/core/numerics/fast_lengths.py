"""n <= 2^a 3^b 5^c: the lengths for which a real Fourier transform is fast

scipy.fft.next_fast_len has the same values, but importing scipy.fft takes a third as long as importing torch.
"""


def fast_length(least: int) -> int:
    """The smallest length of at least `least` >= 1 that has no prime factors but 2, 3 and 5."""
    length = least
    while _without_small_factors(length) > 1:
        length += 1
    return length


def _without_small_factors(number: int) -> int:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number
