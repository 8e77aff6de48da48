"""Text that fits."""

from vidtok.viz.text import font, shortened


def test_what_fits_stays():
    face = font(12)
    assert shortened("waving", face, width=face.getlength("waving")) == "waving"


def test_what_does_not_fit_ends_early():
    face = font(12)
    words = shortened("a class with a long name", face, width=80)
    assert words.endswith("…")
    assert "a class with a long name".startswith(words[:-1])
    assert 60 < face.getlength(words) <= 80
    assert shortened("waving", face, width=1) == "…"
