"""The frames of an attention video: every frame there, each panel where it belongs, heat where the map is high."""

import pytest
import torch

from vidtok.viz.overlay import BACKGROUND, GAP, LINE, TEXT, Panel, attention_frames, heat_over_picture
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
