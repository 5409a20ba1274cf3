"""Tables 1 and 2 of the paper (Prost, Houdard, Almansa and Papadakis 2021): published numbers beside ours"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from alr_cli.bench.protocol import OBSERVED
from alr_cli.bench.scores import Mean
from alr_cli.bench.tables.layout import Table, by_setting, shown

TABLE1_SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4)
TABLE1 = {  # PSNR on their 11 pictures, by the range of noise levels in training
    (0.05, 0.05): (33.24, 28.94, 24.21, 21.25, 18.91),
    (0.1, 0.1): (33.20, 28.82, 24.17, 21.25, 19.13),
    (0.2, 0.2): (32.42, 28.23, 23.80, 21.03, 18.96),
    (0.4, 0.4): (33.01, 28.23, 23.84, 21.03, 18.96),
    (0.05, 0.3): (32.92, 28.90, 24.91, 22.58, 20.84),
}

TABLE2_SIGMAS = (0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Printed:
    """PSNR and LPIPS on BSD68 in colour with clipped noise, at TABLE2_SIGMAS."""

    psnr: tuple[float, float, float]
    lpips: tuple[float, float, float]


TABLE2 = {  # their ALR, EPLL, and BM3D applied to each channel
    "ours": Printed((28.85, 24.88, 21.58), (0.29, 0.44, 0.57)),
    "epll": Printed((28.77, 24.92, 19.75), (0.28, 0.42, 0.61)),
    "bm3d": Printed((28.26, 24.69, 20.25), (0.30, 0.43, 0.58)),
}


LUNZ1 = {  # PSNR and SSIM of Lunz, Oktem and Schoenlieb (2018) for 128 x 128 pixels of BSDS
    "noisy": (20.3, 0.534),
    "total variation": (26.3, 0.836),
    "U-Net": (28.8, 0.908),
    "adversarial regularizer": (28.2, 0.892),
}


def lunz1(means: Sequence[Mean], title: str) -> Table:
    """A row for each method, and below them the published results for other pictures of BSDS."""
    table = by_setting(means, f"{title}; the middles, 128 x 128")
    blank = [""] * (len(table.headings) - 4)
    printed = tuple(
        (table.rows[0][0], f"{name}, as published", f"{psnr:.1f}", f"{ssim:.3f}", *blank)
        for name, (psnr, ssim) in LUNZ1.items()
    )
    return replace(table, rows=(*table.rows, *printed))


def table1(means: Sequence[Mean], title: str, trained: dict[str, tuple[float, float]]) -> Table:
    """A row for each critic and a column for each noise level: PSNR, with the paper's in brackets.

    Args:
        means: The results.
        title: Title of the table.
        trained: The lowest and highest noise level that each method of `means` was trained on.
    """
    sigmas = list(dict.fromkeys(mean.setting.sigma for mean in means))
    psnr = {(mean.method, mean.setting.sigma): mean.metrics.psnr for mean in means}
    rows = []
    for method in dict.fromkeys(mean.method for mean in means):
        levels = trained.get(method)
        printed = TABLE1.get(levels) if levels is not None else None
        cells = [shown(psnr.get((method, sigma)), ".2f") for sigma in sigmas]
        for index, sigma in enumerate(sigmas):
            if printed is not None and sigma in TABLE1_SIGMAS:
                cells[index] += f" ({printed[TABLE1_SIGMAS.index(sigma)]:.2f})"
        rows.append((method, _levels(levels), *cells))
    clips = {mean.setting.clip for mean in means}
    what = " and ".join("clipped" if clip else "unclipped" for clip in sorted(clips))
    headings = ("critic", "trained at sigma", *(f"sigma {sigma:g}" for sigma in sigmas))
    return Table(f"{title}; PSNR in dB, the paper's in brackets, {what}", headings, tuple(rows), words=2)


def _levels(levels: tuple[float, float] | None) -> str:
    if levels is None:
        return "-"
    low, high = levels
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def table2(means: Sequence[Mean], title: str) -> Table:
    """A row for each noise level and method, with the paper's numbers at the right where it has them."""
    plain = by_setting(means, title)
    rows = []
    for mean, row in zip(means, plain.rows, strict=True):
        setting = mean.setting
        printed = TABLE2.get(mean.method.split()[0]) if mean.method != OBSERVED else None
        numbers = ("-", "-")
        if printed is not None and setting.clip and setting.sigma in TABLE2_SIGMAS:
            index = TABLE2_SIGMAS.index(setting.sigma)
            numbers = (f"{printed.psnr[index]:.2f}", f"{printed.lpips[index]:.2f}")
        rows.append((*row, *numbers))
    return Table(title, (*plain.headings, "paper's PSNR", "paper's LPIPS"), tuple(rows), words=2)
