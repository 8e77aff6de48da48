"""ELAN: the annotations of a tier, by the clock of the video."""

import pytest

from tests.data.formats import segment_samples as samples
from tests.data.formats.reading import assert_reads, assert_refused
from vidtok.data.lists import open_list
from vidtok.errors import DataError


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("ELAN", "1 annotations without text are left out"),
        ("ELAN, a folder", "2 annotations without text are left out"),
    ],
)
def test_samples_read_to_their_records(tmp_path, name, notes):
    assert_reads(tmp_path, name, notes=notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("ELAN", ' TIME_VALUE="1250"', "", r"one.eaf:17: time slot 'ts1' has no TIME_VALUE"),
        ("ELAN", '"milliseconds"', '"PAL-frames"', r"one.eaf:5: TIME_UNITS are milliseconds, not 'PAL-frames'"),
        ("ELAN", "audio/x-wav", "video/mp4", r"2 videos are linked \(/C:/work/one two.mp4, /C:/work/one.wav\)"),
        ("ELAN", "ANNOTATION_DOCUMENT", "ANNOTATION_DOC", r"one.eaf:28: not valid XML: mismatched tag"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, old, new, words):
    assert_refused(tmp_path, name, old, new, words)


def test_which_tier_is_asked(tmp_path):
    two = (
        samples.ELAN.replace('REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1"', "X")
        .replace(
            "</TIER>\n</ANN",
            "<ANNOTATION><ALIGNABLE_ANNOTATION TIME_SLOT_REF1='ts1' TIME_SLOT_REF2='ts4'>"
            "<ANNOTATION_VALUE>hi</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>\n</ANN",
        )
        .replace("</REF_ANNOTATION>", "</X>")
    )
    (tmp_path / "one.eaf").write_text(two)
    with pytest.raises(DataError, match=r"which tier has the labels: action, gloss\? Say it with `label`"):
        open_list(tmp_path / "one.eaf")
    records, classes = open_list(tmp_path / "one.eaf", options={"label": "gloss"})
    assert (classes, records[0].end_seconds) == (("hi",), 4.0)
    with pytest.raises(DataError, match=r"no tier 'x' with annotations .* tiers that have some: action, gloss"):
        open_list(tmp_path / "one.eaf", options={"label": "x"})


def test_other_xml_is_refused(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    with pytest.raises(DataError, match=r"a.xml:1: <annotation> is no document of ELAN, which is an ANNOTATION_DOC"):
        open_list(tmp_path / "a.xml", format="elan")


def test_what_a_document_may_leave_out_and_what_not(tmp_path):
    def read(*changes):
        text = samples.ELAN
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "one.eaf").write_text(text)
        return open_list(tmp_path / "one.eaf")[0]

    origin, kind, units = ' TIME_ORIGIN="500"', ' MIME_TYPE="video/mp4"', ' TIME_UNITS="milliseconds"'
    records = read((units, ""), (kind, ""), (origin, ' TIME_ORIGIN="-500"'))
    assert [(each.start_seconds, each.end_seconds) for each in records] == [(0.75, 1.5), (1.5, 3.0)]
    assert records[0].path == tmp_path / "one two.mp4"  # told by its name
    assert read((origin, ""))[0].start_seconds == 1.25
    (tmp_path / "other.mp4").touch()
    assert read(('"./one%20two.mp4"', '"../in/other.mp4"'))[0].path == tmp_path / "other.mp4"
    urls = [
        (f'{key}="{url}one%20two.mp4"', "")
        for key, url in (("RELATIVE_MEDIA_URL", "./"), (" MEDIA_URL", "file:///C:/work/"))
    ]
    for changes, words in [
        ([(origin, ' TIME_ORIGIN="1/2"')], "one.eaf:6: TIME_ORIGIN is a number of milliseconds, not '1/2'"),
        ([('"1250"', '"-1250"')], r"times are seconds from 0 on, not -0\.75"),
        ([("ALIGNABLE_ANNOTATION", "X")], "no annotation that has a time; tiers that have some: none"),
        ([("MEDIA_DESCRIPTOR", "X")], r"0 videos are linked \(none\); link the one"),
        ([*urls, ("audio/x-wav", "video/mp4")], r"2 videos are linked \(\?, /C:/work/one.wav\)"),
    ]:
        with pytest.raises(DataError, match=words):
            read(*changes)
