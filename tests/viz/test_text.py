"""Text in every script for which there is a font; read back from the pixels."""

import itertools
import logging

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.viz.fonts import square_font
from vidtok.viz import text
from vidtok.viz.text import drawable, font, font_for, main_font, runs, shortened, text_width, wrapped, write

CACHED = (text.letters_of, text.system_fonts, text.font_for, text.tell_of_missing_letters)


@pytest.fixture(autouse=True)
def fonts_of_a_machine(monkeypatch):
    """The test's own fonts in the place of the machine's, of which nothing is known: at first none."""
    found: list[str] = []

    def forget():
        for function in CACHED:
            function.cache_clear()

    def install(*paths):
        found.extend(map(str, paths))
        forget()

    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: found)
    forget()
    yield install
    forget()


def drawn(words, *, size=20, place=(4, 4), anchor="la"):
    picture = Image.new("RGB", (300, 60))
    write(ImageDraw.Draw(picture), place, words, fill=(255, 255, 255), size=size, anchor=anchor)
    return np.asarray(picture)[..., 0].astype(int)


def test_a_letter_that_the_main_font_lacks_comes_from_another(tmp_path, fonts_of_a_machine):
    other = square_font(tmp_path / "Squares-Regular.ttf", "走路")
    fonts_of_a_machine(other)
    assert list(runs("a走路b")) == [(main_font(), "a"), (other, "走路"), (main_font(), "b")]
    assert drawable("走路 walking") == "走路 walking"
    ink = drawn("走") > 128
    rows, columns = np.nonzero(ink)
    assert ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()  # a square, not an empty box
    assert 17 <= np.ptp(rows) + 1 <= 19
    # The next piece begins behind it, on the same baseline: as it is drawn alone, moved by the square's width.
    alone, behind = drawn("ab"), drawn("走ab")
    assert np.array_equal(behind[:, 4 + 20 : 104], alone[:, 4:84])
    assert text_width("走ab", size=20) == 20 + font(20).getlength("ab")


def test_without_such_a_font_there_is_an_escape_and_it_is_said_once(caplog):
    with caplog.at_level(logging.WARNING):
        assert drawable("走路 walking") == "\\u8d70\\u8def walking"
        assert drawable("跑 \U0001f9d7") == "\\u8dd1 \\U0001f9d7"
    assert [record.getMessage()[:40] for record in caplog.records] == ["no font of this machine has all letters "]
    assert np.array_equal(drawn("走"), drawn("\\u8d70"))
    assert shortened("走路", size=12, width=1000) == "\\u8d70\\u8def"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a\nb\tc", "a\\nb\\tc"),
        ("\udcff.mp4", "\\udcff.mp4"),  # a byte of a file name that is not UTF-8
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),  # composed or not
        ("a\u3000b\u00a0c", "a b c"),
        ("x\u200d\ufe0fy", "xy"),
        ("Ωмир→…", "Ωмир→…"),
    ],
)
def test_what_is_no_letter_is_shown_too(words, shown):
    assert drawable(words) == shown
    drawn(words)


def test_fonts_that_have_every_letter_as_a_box_are_not_taken(tmp_path, fonts_of_a_machine):
    boxes, good = (square_font(tmp_path / f"{name}.ttf", "走") for name in ("LastResort", "Zzz Serif"))
    broken = tmp_path / "Broken.ttf"
    broken.write_bytes(b"no font")
    fonts_of_a_machine(boxes, broken, good)
    assert font_for("走") == good


def test_upright_fonts_without_serifs_come_first(tmp_path, fonts_of_a_machine):
    names = ("A Mincho", "B Sans Bold", "C Sans Regular", "D Sans")
    fonts_of_a_machine(*(square_font(tmp_path / f"{name}.ttf", "走") for name in names))
    assert font_for("走") == tmp_path / "C Sans Regular.ttf"


@pytest.mark.parametrize(("anchor", "left", "middle"), [("lm", 100, True), ("mm", None, True), ("ra", None, False)])
def test_anchors(anchor, left, middle):
    ink = drawn("HHHH", place=(100, 30), anchor=anchor) > 64
    rows, columns = np.nonzero(ink)
    width = text_width("HHHH", size=20)
    begins = {"l": 100, "m": 100 - width / 2, "r": 100 - width}[anchor[0]]
    assert abs(columns.min() - begins) <= 4
    assert abs(columns.max() - (begins + width)) <= 4
    assert (rows.min() + rows.max()) / 2 == pytest.approx(30, abs=2) if middle else rows.min() > 30


def test_what_fits_stays():
    assert shortened("waving", size=12, width=font(12).getlength("waving")) == "waving"


def test_what_does_not_fit_ends_early():
    words = shortened("a class with a long name", size=12, width=80)
    assert words.endswith("…")
    assert "a class with a long name".startswith(words[:-1])
    assert 60 < text_width(words, size=12) <= 80
    assert shortened("waving", size=12, width=1) == "…"


def test_lines_break_between_words():
    words = "block 12 of 12, mhsa: mean over all tokens"
    lines = wrapped(words, size=12, width=120)
    assert " ".join(lines) == words
    assert all(text_width(line, size=12) <= 120 for line in lines)
    # No line could have taken the first word of the next one.
    for line, following in itertools.pairwise(lines):
        assert text_width(f"{line} {following.split()[0]}", size=12) > 120
    assert wrapped("unbreakable" * 9, size=12, width=100)[0].endswith("…")
    assert wrapped("", size=12, width=100) == []


def test_upright_sans_serif_fonts_of_ordinary_weight_come_first(fonts_of_a_machine):
    names = ["Zed-Bold", "Serif-Regular", "NotoSans-Black", "NotoSans-Light", "NotoSans-Medium", "ZSans-Regular"]
    fonts_of_a_machine(*(f"/fonts/{name}.ttf" for name in [*names, "ApplGothic-Regular", "Serif-Medium"]))
    assert [path.stem for path in text.system_fonts()] == [
        *("ApplGothic-Regular", "ZSans-Regular", "NotoSans-Medium", "Serif-Regular", "Serif-Medium"),
        *("NotoSans-Black", "NotoSans-Light", "Zed-Bold"),
    ]
