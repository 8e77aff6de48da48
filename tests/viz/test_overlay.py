"""The frames of an attention video: every frame there, each panel where it belongs, heat where the map is high."""

import numpy as np
import pytest
import torch

from vidtok.viz.overlay import (
    BACKGROUND,
    FAINT,
    GAP,
    INK,
    LINE,
    NEGATIVE,
    OUTLINE,
    POSITIVE,
    STRIP,
    TEXT,
    Cell,
    Mosaic,
    Panel,
    Strip,
    attention_frames,
    borders_over_picture,
    foot_picture,
    heat_colours,
    heat_over_picture,
    strip_picture,
    with_top,
)
from vidtok.viz.text import text_width, wrapped


def frames(panels=2, steps=2, size=(24, 32), f=4, **more):
    clip = torch.full((f, 3, *size), 128, dtype=torch.uint8)
    maps = torch.zeros(steps, 3, 4)
    maps[0, 0, 0] = 1.0  # first time step: top left
    maps[1, 2, 3] = 0.5  # second: bottom right
    several = [Panel(title=f"token {i + 1}", maps=maps) for i in range(panels)]
    return attention_frames(
        clip, several, heading="a.mp4", guesses=[("running", 0.75), ("jumping", 0.25)], panel_size=64, **more
    )


def test_one_frame_for_each_and_even_sizes():
    for panels in (1, 2, 9, 17):
        out = frames(panels)
        assert out.dtype == torch.uint8
        assert out.shape[:2] == (4, 3)
        assert out.shape[2] % 2 == out.shape[3] % 2 == 0


def test_heat_follows_the_time_step():
    out = frames().float()
    height, width = 48, 64  # a picture of 24 x 32, enlarged to 64 on its long side
    left, top = GAP + (width + GAP), GAP + LINE + LINE
    panel = out[:, :, top : top + height, left : left + width]
    red = panel[:, 0] - panel[:, 2]
    corner, opposite = (slice(2, 8), slice(2, 8)), (slice(-8, -2), slice(-8, -2))
    for frame in (0, 1):
        assert red[frame][corner].mean() > red[frame][opposite].mean() + 20
    for frame in (2, 3):
        assert red[frame][opposite].mean() > red[frame][corner].mean() + 20
    picture = out[:, :, top : top + height, GAP : GAP + width]
    assert (picture == 128).all()


def test_there_is_a_line_for_every_guess_above_that_of_the_colours():
    clip, panel = torch.zeros(1, 3, 24, 32, dtype=torch.uint8), Panel(title="token", maps=torch.zeros(1, 3, 4))
    heights = [
        attention_frames(clip, [panel], heading="", guesses=[("a", 0.5)] * count, panel_size=64).shape[2]
        for count in range(5)
    ]
    assert [height - heights[0] for height in heights] == [0, LINE, 2 * LINE, 3 * LINE, 4 * LINE]


def test_heat_keeps_to_its_scale():
    picture = torch.full((3, 8, 8), 200, dtype=torch.uint8)
    none = heat_over_picture(picture, torch.zeros(2, 2), top=1.0)
    full = heat_over_picture(picture, torch.ones(2, 2), top=1.0)
    half = heat_over_picture(picture, torch.ones(2, 2), top=2.0)
    assert none.float().mean() < half.float().mean() < full.float().mean()
    assert torch.equal(heat_over_picture(picture, torch.full((2, 2), 9.0), top=1.0), full)
    heat_over_picture(picture, torch.zeros(2, 2), top=0.0)


NOTE = "attention: block 12 of 12, mhsa. Query: mean over all tokens. Shown: attention, mean over the heads"


@pytest.mark.parametrize("panels", [1, 2, 9])
def test_the_whole_legend_is_in_the_picture(panels):
    # In a narrow picture the notes need more lines; no ink comes near the right or the lower edge.
    plain, noted = frames(panels)[0], frames(panels, notes=[NOTE, NOTE])[0]
    assert plain.shape[2] == noted.shape[2]
    lines = (noted.shape[1] - plain.shape[1]) / LINE
    assert lines == 2 * len(wrapped(NOTE, size=TEXT, width=noted.shape[2] - 2 * GAP))
    assert lines >= 2 * text_width(NOTE, size=TEXT) / noted.shape[2]
    ink = (noted.float() - torch.tensor(BACKGROUND).view(3, 1, 1)).abs().amax(0) > 8
    assert not ink[:, -GAP // 2 :].any()
    assert not ink[-GAP // 2 :].any()
    foot = ink[plain.shape[1] - GAP :]
    assert foot.any(1).nonzero().max() > (lines - 1) * LINE


def test_long_names_are_shortened_rather_than_cut():
    name = "a class whose name goes on and on and on and on and on and on and on"
    clip = torch.full((1, 3, 24, 32), 128, dtype=torch.uint8)
    panel = Panel(title="a title that is longer than its panel", maps=torch.ones(1, 3, 4))
    (out,) = attention_frames(clip, [panel], heading=name + ".mp4", guesses=[(name, 1.0)], panel_size=64)
    ink = (out.float() - torch.tensor(BACKGROUND).view(3, 1, 1)).abs().amax(0) > 8
    assert not ink[:, -GAP // 2 :].any()
    # Two cells of 64 pixels stand side by side: the title over the second ends above it.
    assert not ink[GAP + LINE : GAP + 2 * LINE, 2 * (64 + GAP) :].any()


def test_the_best_class_stands_first_with_its_score_as_a_bar():
    out = frames().float()[0]
    blue = ((out - torch.tensor([90.0, 140.0, 220.0]).view(3, 1, 1)).abs().amax(0) < 2).sum(1)
    bars = blue[blue > 0].unique().tolist()
    assert bars == [26, 76]
    assert blue.argmax() < blue.shape[0] - (blue.flip(0) == 26).nonzero()[0]
    foot = np.asarray(foot_picture([("a", 0.5), ("b", 0.25)], [], size=(300, 80)))
    rows = ((np.abs(foot.astype(int) - (90, 140, 220)).max(-1) < 2).sum(1) > 0).nonzero()[0]
    assert rows.tolist() == [GAP + line * LINE + y for line in (0, 1) for y in range(2, LINE - 5)]


@pytest.mark.parametrize(
    ("size", "cell"), [((24, 32), (48, 64)), ((32, 24), (64, 48)), ((8, 64), (8, 64)), ((1, 640), (1, 64))]
)
def test_a_picture_is_as_long_as_a_panel_and_keeps_its_shape(size, cell):
    notes = {
        wide: attention_frames(
            torch.zeros(1, 3, *size, dtype=torch.uint8),
            [Panel(title="token", maps=torch.zeros(1, 1, 4))] * wide,
            heading="",
            guesses=[],
            panel_size=64,
        )
        for wide in (4, 9, 10)
    }
    heights = {wide: picture.shape[2] for wide, picture in notes.items()}
    assert heights[9] - heights[4] == pytest.approx(cell[0] + LINE + GAP, abs=1)  # another row; sides are even
    assert heights[10] - heights[4] == pytest.approx(2 * (cell[0] + LINE + GAP), abs=1)
    assert notes[9].shape[3] >= 5 * (cell[1] + GAP) + GAP


def test_every_panel_stands_in_its_cell_and_row():
    # Nine panels behind the picture: five cells a row. Every second one is hot all over, the others nowhere.
    clip = torch.full((1, 3, 24, 32), 128, dtype=torch.uint8)
    maps = [torch.full((1, 3, 4), float(place % 2)) for place in range(1, 10)]
    panels = [Panel(title=f"token {place}", maps=each) for place, each in enumerate(maps, 1)]
    panels[0] = Panel(title="token 1", maps=torch.tensor([[[1.0, 0.0]]]))
    (out,) = attention_frames(clip, panels, heading="", guesses=[], panel_size=64).float()
    for place in range(10):
        left, top = GAP + place % 5 * (64 + GAP), GAP + LINE + place // 5 * (48 + LINE + GAP) + LINE
        cell = out[:, top : top + 48, left : left + 64]
        if place == 0:
            assert (cell == 128).all()
        elif place > 1:
            assert (cell[0] - cell[2]).mean() > 60 if place % 2 else (cell[0] - cell[2]).abs().mean() < 5
        else:  # each value of a map fills its part of the picture to the edge, and fades only between the middles
            assert (cell[0, :, :16] == cell[0, 0, 0]).all()
            assert (cell[0, :, 48:] == cell[0, 0, 63]).all()
    backs = (out - torch.tensor(BACKGROUND).view(3, 1, 1)).abs().amax(0) < 1
    assert backs[GAP + 2 * LINE + 48 + 1 : GAP + 2 * LINE + 48 + GAP - 1].all()


def test_a_panel_has_224_pixels_where_nothing_is_said():
    clip = torch.full((1, 3, 24, 32), 128, dtype=torch.uint8)
    (out,) = attention_frames(clip, [Panel(title="", maps=torch.ones(1, 1, 1))], heading="", guesses=[])
    rows, columns = (out == 128).all(0).nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (168, 224)


def test_the_picture_is_seen_through_the_heat_and_darker():
    light, dark = (torch.full((3, 8, 8), level, dtype=torch.uint8) for level in (200, 40))
    for heat in (torch.zeros(2, 2), torch.full((2, 2), 0.5), torch.ones(2, 2)):
        over = [heat_over_picture(picture, heat, top=1.0).float().mean() for picture in (light, dark)]
        assert over[0] > over[1] + 10
    assert heat_over_picture(light, torch.zeros(2, 2), top=1.0).max() < 150
    # The grey under the colours is that of all three: a red picture and a blue one look the same.
    red, blue = torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[0], blue[2] = 240, 240
    assert torch.equal(*(heat_over_picture(picture, torch.ones(2, 2), top=1.0) for picture in (red, blue)))


def test_what_is_written_where(monkeypatch):
    said = []
    monkeypatch.setattr(
        "vidtok.viz.overlay.write", lambda draw, place, text, **how: said.append((text, place, how.get("anchor", "la")))
    )
    frames()
    words = [text for text, *_ in said]
    first, last = words[:5], words[-5:]
    assert words[5:8] == ["0.75  running", "0.25  jumping", "0 to the highest value of the panel in the clip"]
    assert first[:2] == ["a.mp4", "frame 1 of 4"]
    assert last[:2] == ["a.mp4", "frame 4 of 4"]
    assert first[2] == "picture"
    assert "token 1  max 1".startswith(first[3].rstrip("…"))
    ends = {text: (place, anchor) for text, place, anchor in said}
    (right, _), anchor = ends["frame 1 of 4"]
    assert right - text_width("frame 1 of 4", size=TEXT) > GAP + text_width("a.mp4", size=TEXT)
    assert anchor == "ra"
    said.clear()
    attention_frames(
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        [Panel(title="x", maps=torch.tensor([[[0.25, 4.0]], [[0.5, 1.0]]]))],
        heading="a.mp4",
        guesses=[],
    )
    assert "x  max 4" in [text for text, *_ in said]  # the highest value of all steps


def strip(values, *, wide=100 + 2 * GAP):
    pixels = np.array(strip_picture(Strip(title="t", values=torch.tensor(values)), wide=wide))
    assert pixels.shape == (STRIP, wide, 3)
    return pixels


def test_numbers_over_time_are_bars_on_one_line():
    """Four bars of 25 pixels each, the last of a gap; the lowest is below the line, which then is in the middle."""
    pixels = strip([1.0, 0.5, -0.25, 0.0])
    base = STRIP - 4 - 12
    assert (pixels[base - 12 : base, GAP : GAP + 24] == POSITIVE).all()
    assert (pixels[base - 6 : base, GAP + 25 : GAP + 49] == POSITIVE).all()
    assert (pixels[base - 12 : base - 6, GAP + 25 : GAP + 49] == BACKGROUND).all()
    assert (pixels[base + 1 : base + 4, GAP + 50 : GAP + 74] == NEGATIVE).all()
    assert (pixels[base + 4 :, GAP + 50 : GAP + 74] == BACKGROUND).all()
    assert (pixels[base - 12 : base, GAP + 24] == BACKGROUND).all()
    assert (pixels[base, GAP : GAP + 100] == FAINT).all()
    assert (pixels[base + 1 :, GAP + 75 :] == BACKGROUND).all()


def test_numbers_above_zero_alone_have_the_whole_strip():
    pixels = strip([1.0, 0.5])
    base = STRIP - 4
    assert (pixels[20:base, GAP : GAP + 49] == POSITIVE).all()
    assert (pixels[base - 12 : base, GAP + 50 : GAP + 99] == POSITIVE).all()
    assert (pixels[20 : base - 12, GAP + 50 : GAP + 99] == BACKGROUND).all()
    assert not (strip([0.0, 0.0]) == POSITIVE).all(-1).sum() > 2 * 100


def test_of_more_numbers_than_pixels_the_largest_of_each_column_is_drawn():
    values = torch.zeros(1000)
    values[505], values[506] = 1.0, 0.5
    pixels = strip(values.tolist())
    (columns,) = (pixels[21] == POSITIVE).all(-1).nonzero()
    assert columns.tolist() == [GAP + 50]


def test_borders_stand_where_regions_meet():
    picture = torch.full((3, 8, 8), 7, dtype=torch.uint8)
    outline = torch.tensor(OUTLINE, dtype=torch.uint8)
    for regions, at in (([[0, 1], [0, 1]], (slice(None), 3)), ([[0, 0], [1, 1]], (3, slice(None)))):
        drawn = borders_over_picture(picture, torch.tensor(regions))
        assert (outline == drawn[:, *at].T).all()
        assert int((drawn == 7).all(0).sum()) == 8 * 7


def mosaic(titles=("a", "b"), **options):
    given = {"tops": [1.0] * len(titles), "heading": "h", "guesses": 0, "panel_size": 64}
    return Mosaic(picture=(24, 32), titles=titles, **{**given, **options})


def test_strips_stand_below_the_cells_with_a_line_at_the_moment():
    plain = mosaic()
    two = [Strip(title=name, values=torch.tensor([1.0, 0.5])) for name in "ab"]
    made = mosaic(strips=two)
    assert made.size == (plain.size[0], plain.size[1] + 2 * STRIP)
    picture = torch.full((3, 24, 32), 128, dtype=torch.uint8)
    frame = made.draw(picture, [Cell(), Cell()], corner="", guesses=[], at=0.75).numpy()
    without = made.draw(picture, [Cell(), Cell()], corner="", guesses=[]).numpy()
    first = made.size[1] - made.foot - 2 * STRIP
    x = GAP + 0.75 * (made.wide - 2 * GAP)
    changed = (frame != without).any(0).nonzero()
    assert set(changed[0]) == {*range(first + 16, first + STRIP - 3), *range(first + STRIP + 16, first + 2 * STRIP - 3)}
    assert abs(changed[1] - x).max() <= 1
    assert (frame[:, changed[0], changed[1]].T == INK).all()
    below = np.array(strip_picture(two[1], wide=made.wide))
    assert (without[:, first + STRIP : first + 2 * STRIP].transpose(1, 2, 0) == below).all()


def test_a_cell_shows_another_picture_its_regions_and_a_ring():
    made, picture = mosaic(), torch.full((3, 24, 32), 128, dtype=torch.uint8)
    cells = [
        Cell(ring=(0.5, 0.25)),
        Cell(picture=torch.full((3, 24, 32), 50, dtype=torch.uint8), regions=torch.tensor([[0, 1]])),
    ]
    frame = made.draw(picture, cells, corner="", guesses=[])
    (left, top), (other, _) = made.place(0), made.place(1)
    assert made.cell == (64, 48)
    y, x = top + 24, left + 16
    assert tuple(frame[:, y, x + 5].tolist()) == tuple(frame[:, y - 5, x].tolist()) == INK
    assert tuple(frame[:, y, x + 6].tolist()) == BACKGROUND
    assert (frame[:, y - 2 : y + 3, x - 2 : x + 3] == 128).all()
    cell = frame[:, top : top + 48, other : other + 64]
    assert (cell[:, :, 31] == torch.tensor(OUTLINE, dtype=torch.uint8)[:, None]).all()
    assert (cell[:, :, :31] == 50).all()


def test_cells_are_six_in_a_row_from_twelve_on_or_as_many_as_are_asked_for():
    assert [mosaic(titles=["t"] * count).columns for count in (3, 5, 11, 12, 40)] == [3, 5, 5, 6, 6]
    assert mosaic(titles=["t"] * 11, columns=4).rows == 3
    assert mosaic(least_width=10).wide == 2 * (64 + GAP) + GAP
    assert mosaic(titles=["t"], least_width=91).wide == 92


def test_a_title_goes_on_over_a_cell_that_has_none(monkeypatch):
    said = []
    monkeypatch.setattr("vidtok.viz.overlay.write", lambda draw, place, text, **how: said.append(text))
    long = "a title that wants the room of two"
    picture = torch.zeros(3, 24, 32, dtype=torch.uint8)

    def shown(*titles, columns=None):
        made, before = mosaic(titles=titles, columns=columns), len(said)
        made.draw(picture, [Cell()] * len(titles), corner="", guesses=[])
        return len(said[before + 2])

    assert shown(long, "b") == shown(long) == shown(long, "", columns=1) < shown(long, "")


def test_the_colours_of_maps_over_dark_and_light():
    colours = heat_colours().float().mean(0)[0]
    assert colours.shape == (3 * 64,)
    for grey, part in zip((40, 120, 200), colours.split(64), strict=True):
        assert part[0] == pytest.approx(grey * 0.7 * 0.85, abs=2)
        assert part[-1] > part[0] + 50
    assert with_top("a", 0.123) == "a  max 0.12"
