"""A sheet's pictures lie where they should: known colours are read back."""

import numpy as np
import pytest
import torch

from vidtok.types import Box
from vidtok.viz.contact_sheet import COLOURS, TRACK, Strip, contact_sheet
from vidtok.viz.overlay import BACKGROUND, FAINT, GAP, INK


def strip(frames=3, **options):
    """Frame i is grey, with a level of 60 (i + 1)."""
    grey = 60 * (torch.arange(frames) + 1).view(-1, 1, 1, 1)
    return Strip(
        **{
            "title": "clip 1 of 1",
            "pictures": grey.expand(frames, 3, 40, 60).to(torch.uint8),
            "captions": [f"{i}" for i in range(frames)],
            "places": torch.arange(frames) * 10,
            **options,
        }
    )


def pixels(strips, *, frames=100, height=80):
    return np.asarray(contact_sheet(strips, heading="video", frames=frames, cell_height=height)).astype(int)


def find(sheet, colour):
    """Rows and columns between which a colour stands."""
    rows, columns = np.nonzero((sheet == np.array(colour)).all(-1))
    assert len(rows), f"{colour} is nowhere"
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_pictures_stand_side_by_side_in_their_order():
    sheet = pixels([strip()])
    lefts = []
    for level in (60, 120, 180):
        top, bottom, left, right = find(sheet, (level,) * 3)
        assert (bottom - top + 1, right - left + 1) == (80, 120)
        lefts.append(int(left))
    assert lefts == [GAP, GAP + 128, GAP + 256]


def test_strips_stand_one_below_the_other():
    other = strip(2, pictures=torch.full((2, 3, 40, 60), 33, dtype=torch.uint8))
    sheet = pixels([strip(), other])
    assert find(sheet, (33,) * 3)[0] > find(sheet, (60,) * 3)[1]


def test_boxes_are_drawn_where_they_are_and_the_rest_is_darkened():
    box = Box(top=10, left=15, height=20, width=30)
    sheet = pixels([strip(1, boxes=[("", box)])])
    top, bottom, left, right = find(sheet, COLOURS[0])
    assert (bottom - top + 1, right - left + 1) == (40, 60)
    assert left - GAP == 30
    inside, outside = sheet[top + 20, left + 30], sheet[top + 20, left - 10]
    assert inside.tolist() == [60, 60, 60]
    assert outside.max() < 45


def test_several_boxes_darken_nothing():
    boxes = [(name, Box(top=0, left=left, height=40, width=40)) for name, left in (("left", 0), ("right", 20))]
    sheet = pixels([strip(1, boxes=boxes)])
    assert find(sheet, COLOURS[0])[2] < find(sheet, COLOURS[1])[2]
    assert (sheet == 60).all(-1).sum() > 5000


def test_what_the_network_sees_stands_below_its_picture():
    seen = torch.stack([torch.full((3, 16, 16), level) for level in (11, 22, 44)]).to(torch.uint8)
    sheet = pixels([strip(seen=seen)])
    for level, below in ((11, 60), (22, 120), (44, 180)):
        top, _, left, right = find(sheet, (level,) * 3)
        _, bottom, picture_left, picture_right = find(sheet, (below,) * 3)
        assert top > bottom
        assert picture_left <= left < right <= picture_right


def test_the_line_of_time_marks_the_frames_of_the_clip():
    ends = []
    for places in ([0, 1, 2], [97, 98, 99]):
        sheet = pixels([strip(places=torch.tensor(places))])
        line = sheet[57:65]  # below heading and title, above the pictures
        rows, columns = np.nonzero((line == np.array(INK)).all(-1))
        assert len(rows)
        ends.append((int(columns.min()), int(columns.max())))
    width = sheet.shape[1]
    assert ends[0][1] < 0.05 * width
    assert ends[1][0] > 0.95 * width


def test_a_sheet_is_as_wide_as_its_longest_title():
    assert pixels([strip()]).shape[1] == 720
    assert pixels([strip(), strip(title="clip " * 60)]).shape[1] > 1200


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="3 pictures, but 2 captions"):
        strip(captions=["0", "1"])
    with pytest.raises(ValueError, match="at least one strip"):
        pixels([])
    assert pixels([strip(1)])[0, 0].tolist() == list(BACKGROUND)


def test_the_line_of_time_reaches_from_the_first_frame_to_the_last():
    sheet = pixels([strip(places=torch.tensor([25, 75, 50]))])
    middle = sheet[60]
    wide = sheet.shape[1] - 2 * GAP
    marks = [round(GAP + (place + 0.5) * wide / 100) for place in (25, 75)]
    track, faint = (np.flatnonzero((middle == np.array(colour)).all(-1)) for colour in (TRACK, FAINT))
    assert (track.min(), track.max()) == pytest.approx((GAP, GAP + wide), abs=1)
    assert (faint.min(), faint.max()) == pytest.approx(marks, abs=2)
    assert len(faint) > 0.45 * wide


def test_what_the_network_sees_is_in_the_middle_below_its_picture():
    seen = torch.full((1, 3, 16, 16), 11, dtype=torch.uint8)
    for pictures, side in ((torch.full((1, 3, 40, 60), 60), 80), (torch.full((1, 3, 80, 64), 60), 64)):
        sheet = pixels([strip(1, seen=seen, pictures=pictures.to(torch.uint8))])
        top, bottom, left, right = find(sheet, (11,) * 3)
        _, below, picture_left, picture_right = find(sheet, (60,) * 3)
        assert (bottom - top + 1, right - left + 1) == (side, side)
        assert (left + right) / 2 == pytest.approx((picture_left + picture_right) / 2, abs=1)
        assert 0 < top - below < 40
        assert sheet.shape[0] - bottom < 40


def test_words_of_a_strip(monkeypatch):
    said = []
    monkeypatch.setattr("vidtok.viz.contact_sheet.write", lambda draw, place, text, **how: said.append((text, place)))
    boxes = [(name, Box(top=0, left=left, height=40, width=30)) for name, left in (("one", 0), ("two", 30))]
    sheet = np.asarray(contact_sheet([strip(2, boxes=boxes), strip(3)], heading="video", frames=9))
    assert [text for text, _ in said] == ["video", "clip 1 of 1", "one", "two", "0", "1", "clip 1 of 1", "0", "1", "2"]
    places = dict(said[2:6])
    assert places["two"][0] - places["one"][0] == 90, "names stand in their boxes, each below the one before"
    assert places["two"][1] - places["one"][1] >= 12
    assert places["1"][0] - places["0"][0] == 180 + GAP
    lowest = said[-1][1][1]
    assert 10 < sheet.shape[0] - lowest < 40
    assert (sheet == 120).all(-1).any(0).sum() == 180, "120 rows high, and so 180 wide, where nothing is said"


def test_narrow_pictures_have_room_for_their_captions():
    sheet = pixels([strip(1, pictures=torch.full((1, 3, 60, 6), 77, dtype=torch.uint8))])
    _, _, left, right = find(sheet, (77,) * 3)
    assert right - left + 1 == 64
