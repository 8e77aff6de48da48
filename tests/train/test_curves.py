"""The picture of a run's curves."""

import json

import pytest
from PIL import Image

from vidtok.train import curves
from vidtok.train.curves import plot_curves


def write(folder, *, checks=(0.3, 0.7, 0.5), averages=False, norm=2.0, losses=(3.0, 2.0, 1.0)):
    events = [{"event": "start", "step": 0, "averages": averages}]
    for i, loss in enumerate(losses):
        figures = {"loss": loss, "lr": 0.1, "gradient_norm": norm, "clips_per_second": 9.0, "waiting": 0.25}
        events.append({"event": "train", "step": 10 * i, **figures})
    events += [{"event": "val", "step": 10 * i, "time": 1.0, "mAP": value} for i, value in enumerate(checks)]
    (folder / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the last figure, by their titles."""
    seen = {}

    def look(axes):
        seen.clear()
        seen.update({axis.get_title(): axis for axis in axes if axis.get_title()})

    from matplotlib.figure import Figure

    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (look(self.axes), save(self, *a, **k))[1])
    return seen


def points(axis):
    line = axis.lines[0]
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_curves_show_what_was_told(tmp_path, drawn):
    write(tmp_path, averages=True)
    with Image.open(plot_curves(tmp_path)) as picture:
        assert picture.size == (1210, 704)
        assert sum(count > 0 for count in picture.convert("L").histogram()) > 50
    assert points(drawn["training loss (mean since the last point)"]) == [(0, 3.0), (10, 2.0), (20, 1.0)]
    check = drawn["validation (one view, averaged weights)"]
    assert points(check) == [(0, 0.3), (10, 0.7), (20, 0.5)]
    words = [text.get_text() for text in check.get_legend().get_texts()]
    assert words == ["val mAP", "best 0.700, step 10"]
    assert not check.get_legend().get_frame_on()
    assert (list(check.lines[1].get_xdata()), list(check.lines[1].get_ydata())) == ([10], [0.7])
    assert check.get_ylim() == (0, 1.02)
    assert points(drawn["speed, and share of time waiting for data"])[0] == (0, 9.0)
    rate = drawn["highest learning rate, gradient norm before clipping"]
    assert points(rate) == [(0, 0.1), (10, 0.1), (20, 0.1)]
    assert rate.get_ylim()[0] == 0
    axes = {axis.get_ylabel(): axis for axis in rate.figure.axes}
    assert axes.keys() == {"", "learning rate", "gradient norm", "clips/s", "waiting"}
    assert points(axes["gradient norm"]) == [(0, 2.0), (10, 2.0), (20, 2.0)]
    assert axes["gradient norm"].get_yscale() == "log"
    assert (axes["waiting"].get_ylim(), axes["clips/s"].get_ylim()[0]) == ((0, 1), 0)
    (filled,) = axes["waiting"].collections
    assert filled.get_paths()[0].vertices[:, 1].max() == 0.25
    assert check.get_shared_x_axes().joined(check, rate)


def test_without_validation_and_with_numbers_that_are_not_there(tmp_path, drawn):
    write(tmp_path, checks=(), norm=None)
    assert plot_curves(tmp_path) == tmp_path / "curves.png"
    assert "no validation" in drawn


def test_a_log_without_a_line_of_training(tmp_path):
    write(tmp_path, checks=(), losses=())
    assert plot_curves(tmp_path).exists()


def test_gaps_are_not_drawn():
    column = curves._column([{"loss": 1.0}, {"loss": None}, {}], "loss")
    assert column[0] == 1.0
    assert all(value != value for value in column[1:])
