"""The page with pictures under a slider: its contents, and its behaviour in a browser."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alr_cli.cli.report.page import Layers, Table, page
from alr_cli.cli.report.strips import SCALE, as_png, draw_strips
from tests.browser import available, chromium
from tests.conftest import scene

BLACK, WHITE, MIDDLE = (np.full((60, 200, 3), level, np.float32) for level in (0, 1, 0.5))
SHOWN = [
    Layers("a & <b>", [("before", as_png(BLACK)), ("after", as_png(WHITE)), ("true", as_png(MIDDLE))]),
    Table("PSNR in dB", ["picture", "ours"], [["<i>.png", "30.12"]]),
]
OF_THE_BROWSER = ("data:", "chrome:", "chrome-untrusted:", "devtools:")  # it opens pages of its own


def test_a_page_refers_to_nothing_outside_of_itself() -> None:
    text = page("x", SHOWN).decode()
    assert not re.search(
        r"https?:|//|url\(|@import|<link(?! rel=\"icon\" href=\"data:,\")", text.split("base64,")[0]
    )
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) == 4 and all(source.startswith("data:") for source in sources)
    assert "default-src 'none'" in text


def test_names_are_text_and_not_markup() -> None:
    text = page("<script>alert(1)</script>", SHOWN).decode()
    assert "<script>alert" not in text and "a &amp; &lt;b&gt;" in text and "&lt;i&gt;.png" in text


def test_strips_show_each_crop_twice_as_large_in_its_row_and_column() -> None:
    crops = [[np.full((20, 30, 1), value, np.float32) for value in (0.1 * row, 0.5)] for row in range(3)]
    sheet = np.asarray(Image.open(io.BytesIO(draw_strips(["before", "1"], ["a", "b", "c"], crops))))
    for row in range(3):
        found = (sheet == round(255 * 0.1 * row)).all(axis=2).sum()
        assert found >= 20 * 30 * SCALE**2
    assert (sheet == 128).all(axis=2).sum() >= 3 * 20 * 30 * SCALE**2


def test_pictures_outside_of_the_range_are_shown_at_its_ends() -> None:
    shown = np.asarray(Image.open(io.BytesIO(as_png(np.float32([[[-1.0], [2.0]]])))))
    assert shown.tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="needs chromium and chromedriver")
def test_the_slider_moves_by_mouse_and_by_keys_and_nothing_is_asked_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(page("x", [*SHOWN, Layers("second", [("a", as_png(scene())), ("b", as_png(scene()))])]))
    value = "return Number(document.querySelector('figure input').value)"
    with chromium() as browser:
        browser.open(path.as_uri())
        box = "const r = document.querySelector('figure').getBoundingClientRect(); return [r.left, r.top]"
        left, top = (round(place) for place in browser.ask(box))
        assert (
            white_share(browser.screenshot(), left, top) < 0.02
        )  # right of the white line: the true picture
        browser.ask(
            "const s = document.querySelector('select.right'); s.selectedIndex = 1;"
            "s.dispatchEvent(new Event('change'))"
        )
        assert white_share(browser.screenshot(), left, top) == pytest.approx(0.5, abs=0.03)
        browser.drag((left + 100, top + 30), (left + 50, top + 30))
        assert browser.ask(value) == pytest.approx(25, abs=1)
        assert white_share(browser.screenshot(), left, top) == pytest.approx(0.75, abs=0.03)
        for key, place in (
            ("ArrowRight", 26),
            ("ArrowLeft", 25),
            ("End", 100),
            ("Home", 0),
            (" ", 100),
            (" ", 0),
        ):
            browser.press(key)
            assert browser.ask(value) == pytest.approx(place, abs=1), key
        assert white_share(browser.screenshot(), left, top) > 0.97
        browser.press(
            "Tab", "Tab", "Tab", "Tab", "ArrowRight"
        )  # two choices and a box lie between the pictures
        assert browser.ask("return Number(document.querySelectorAll('figure input')[1].value)") == 51
        asked = [url for url in browser.requests() if not url.startswith(OF_THE_BROWSER)]
        assert asked == [path.as_uri()]


def white_share(screenshot: bytes, left: int, top: int) -> float:
    """The share of white pixels of the first picture in a screenshot."""
    pixels = np.asarray(Image.open(io.BytesIO(screenshot)).convert("L"))
    return float((pixels[top + 5 : top + 55, left : left + 200] > 250).mean())
