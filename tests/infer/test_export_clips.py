"""Real clips for exported models, and what another precision changes on them."""

import pytest
import torch

from tests.infer.exports import CLASSES, small_model
from tests.runs.own_clips import own_clips
from vidtok.data.lists import open_list
from vidtok.errors import DataError
from vidtok.infer.export_clips import Clips, as_taken, change, read_clips, spread


def test_rows_are_spread_over_the_list():
    assert spread(3, most=8) == [0, 1, 2]
    assert spread(10, most=4) == [0, 2, 5, 7]
    assert spread(0, most=4) == []


def test_clips_are_those_that_the_model_sees(tmp_path):
    model = small_model()
    records, names = open_list(own_clips(tmp_path / "clips", each=2, frames=5))
    assert names == CLASSES
    shares = []
    found = read_clips(model, records, most=3, said=shares.append)
    assert shares == pytest.approx([0, 1 / 3, 2 / 3])
    assert found.pixels.shape == (3, 4, 3, 16, 24)
    assert found.labels == ((0,), (1,), (2,))
    means = found.pixels.float().mean((1, 3, 4))
    assert means.argmax(1).tolist() == [2, 1, 0]  # of blue, green, red in the order red, green, blue
    (tmp_path / "clips" / "green" / "p0_0.mp4").write_bytes(b"broken")
    found = read_clips(model, records, most=3)
    assert found.labels == ((0,), (2,))
    assert [failure.path.parent.name for failure in found.failures] == ["green"]
    for file in (tmp_path / "clips").rglob("*.mp4"):
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"none of its videos can be decoded: .*p0_0\.mp4"):
        read_clips(model, records, most=3)


def test_the_change_is_of_logits_scores_and_classes():
    model = small_model()
    torch.manual_seed(0)
    clips = Clips(
        pixels=torch.randint(0, 256, (4, 4, 3, 16, 24), dtype=torch.uint8), labels=((0,), (1,), (2,), (0,)), failures=()
    )
    logits = torch.tensor([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0], [2.0, 0, 0]])
    other = logits.clone()
    other[3] = torch.tensor([0.0, 1.0, 0.0])
    queue = {id(each): iter(each.split(2)) for each in (logits, other)}

    class Given(type(model)):
        def forward(self, x):
            return next(self.parts)

    made = []
    for each in (logits, other):
        copy = small_model()
        copy.__class__ = Given
        copy.parts = queue[id(each)]
        made.append(copy)
    shares = []
    found = change(*made, clips, batch=2, said=shares.append)
    assert shares == [0, 0.5]
    assert found.logits == pytest.approx(1.0)
    assert found.same_class == 0.75
    assert found.top1 == (1.0, 0.75)
    assert found.clips == 4
    score = float(torch.tensor([2.0, 0, 0]).softmax(0)[0] - torch.tensor([0.0, 1, 0]).softmax(0)[0])
    assert found.scores == pytest.approx(score)
    assert "top1 1.000 -> 0.750" in str(found)


def test_batches_are_as_the_file_takes_them():
    model = small_model()
    pixels = torch.full((3, 4, 3, 16, 24), 255, dtype=torch.uint8)
    raw = as_taken(model, pixels, normalised=False, batch=2)
    assert [(each.shape[0], each.dtype.name) for each in raw] == [(2, "uint8"), (1, "uint8")]
    first = as_taken(model, pixels, normalised=True)[0]
    assert first[0, 0, :, 0, 0].tolist() == pytest.approx([3.0, 2.0, 4 / 3])
