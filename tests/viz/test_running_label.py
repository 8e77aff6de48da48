"""The band below a picture: the words and bars of what it is told, and the picture untouched above it."""

import torch

from vidtok.viz.running_label import BAR, TRACK, RunningLabel


def count(picture, colour) -> int:
    wanted = torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1)
    return int((picture == wanted).all(0).sum())


def test_the_picture_stays_and_bars_are_as_long_as_scores():
    picture = torch.randint(0, 256, (3, 240, 320), dtype=torch.uint8)
    band = RunningLabel(lines=3)
    lengths = []
    for score in (1.0, 0.5, 0.25, 0.0):
        drawn = band.draw(picture, [("wave", score), ("jump", 0.0)], time="0:01", state="0.1 s behind")
        assert torch.equal(drawn[:, :240], picture)
        lengths.append(count(drawn, BAR))
    assert lengths[3] == 0
    assert lengths[0] > 500
    assert abs(lengths[0] / lengths[1] - 2) < 0.1
    assert abs(lengths[1] / lengths[2] - 2) < 0.1
    waiting = band.draw(picture, [], time="0:00", state="waiting")
    assert count(waiting, TRACK) == count(waiting, BAR) == 0
    assert waiting.shape == drawn.shape


def test_it_is_drawn_anew_where_a_word_changes_and_only_there():
    picture, band = torch.zeros(3, 240, 320, dtype=torch.uint8), RunningLabel(lines=2)
    said = {"guesses": [("wave", 0.5), ("jump", 0.25)], "time": "0:01", "state": "0.1 s behind"}
    first = band.draw(picture, **said)
    kept = band._band
    assert torch.equal(band.draw(picture + 9, **said)[:, 240:], first[:, 240:])
    assert band._band is kept
    for change in ({"guesses": [("wink", 0.5)]}, {"time": "0:02"}, {"state": "2.0 s behind"}):
        assert not torch.equal(band.draw(picture, **{**said, **change}), first), change
    wide = band.draw(torch.zeros(3, 240, 400, dtype=torch.uint8), **said)
    assert wide.shape[2] == 400
