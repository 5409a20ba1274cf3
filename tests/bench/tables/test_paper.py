"""Tables 1 and 2 beside the published numbers."""

from dataclasses import replace

from alr_cli.bench.protocol import Setting
from alr_cli.bench.scores import Mean, Metrics
from alr_cli.bench.tables.paper import table1, table2


def mean(method: str, sigma: float, psnr: float, clip: bool = True) -> Mean:
    return Mean(Setting("denoise", sigma, clip), method, Metrics(psnr, 0.8, 0.3, 1.0), 3)


def test_table_1_has_a_row_for_each_critic_and_the_papers_numbers_in_brackets() -> None:
    means = [
        mean("ours a", 0.05, 33.0),
        mean("ours b", 0.05, 32.0),
        mean("ours a", 0.25, 23.0),
        mean("ours b", 0.25, 22.0),
    ]
    table = table1(means, "3 pictures", {"ours a": (0.05, 0.05), "ours b": (0.05, 0.3)})
    assert table.headings == ("critic", "trained at sigma", "sigma 0.05", "sigma 0.25")
    assert table.rows == (
        ("ours a", "0.05", "33.00 (33.24)", "23.00"),
        ("ours b", "0.05 to 0.3", "32.00 (32.92)", "22.00"),
    )
    assert "clipped" in table.title and "brackets" in table.title


def test_a_critic_that_the_paper_lacks_has_no_brackets() -> None:
    table = table1([mean("ours", 0.1, 28.0)], "", {"ours": (0.02, 0.5)})
    assert table.rows == (("ours", "0.02 to 0.5", "28.00"),)


def test_table_2_has_the_papers_numbers_for_its_protocol_only() -> None:
    means = [
        mean("observed", 0.1, 20.0),
        mean("ours color-paper", 0.1, 28.0),
        mean("bm3d", 0.4, 20.0),
        mean("cbm3d", 0.1, 30.0),
        replace(mean("epll", 0.1, 29.0), setting=Setting("denoise", 0.1, clip=False)),
        mean("epll", 0.3, 22.0),
    ]
    table = table2(means, "")
    assert table.headings[-2:] == ("paper's PSNR", "paper's LPIPS")
    assert [row[-2:] for row in table.rows] == [
        ("-", "-"),
        ("28.85", "0.29"),
        ("20.25", "0.58"),
        ("-", "-"),
        ("-", "-"),
        ("-", "-"),
    ]
