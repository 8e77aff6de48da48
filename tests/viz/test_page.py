"""The page as a whole: it parses, it asks for nothing, and words stay words."""

from tests.viz.reading import read_page
from vidtok.viz.page import POLICY, PageSection, clip, page, table

NASTY = "<b onclick=x>a</b>"


def test_a_page():
    sections = [PageSection(title=NASTY, note=NASTY, body=table([NASTY, "value"], [[NASTY, 0.5], ["b", 1]]))]
    text = page(NASTY, sections, lead=[NASTY])
    reader = read_page(text)
    assert "b" not in reader.tags
    assert reader.tags.count("section") == 1
    assert (
        sum(NASTY in word for word in reader.words) == 7
    )  # the page's name twice, lead, heading, note, two cells less
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme:dark" in text
    assert POLICY in text
    assert "class=value>0.5<" in text


def test_a_clip_waits_until_it_is_pointed_at():
    reader = read_page(clip("data:video/mp4;base64,AAAA", "data:image/jpeg;base64,AAAA", "a"))
    assert reader.addresses == ["data:image/jpeg;base64,AAAA", "data:video/mp4;base64,AAAA"]
    assert "autoplay" not in clip("v", "p", "c")
    assert 'preload="none"' in clip("v", "p", "c")
