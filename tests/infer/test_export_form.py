"""The exported form gives the numbers of the network that it was made of."""

import torch

from tests.infer.exports import small_model
from vidtok.infer.export import pixel_clips
from vidtok.infer.export_form import Exported, export_form
from vidtok.infer.export_layers import LinearTubelet, PlainMultiAxis
from vidtok.nn.mixers.multi_axis import MultiAxis
from vidtok.nn.tubelet import Tubelet


def test_the_network_itself_stays_as_it_was():
    model = small_model(
        tubelet=[2, 8, 8], width=12, depth=2, heads=2, mixer={"name": "multi_axis", "window": [2, 2, 2]}
    )
    model.network.train()
    form = export_form(model.network)
    assert type(model.network.tokenizer) is Tubelet
    assert isinstance(form.tokenizer, LinearTubelet)
    assert [type(block.mixers[0]) for block in form.encoder.blocks] == [PlainMultiAxis] * 2
    assert [type(block.mixers[0]) for block in model.network.encoder.blocks] == [MultiAxis] * 2
    assert (model.network.training, form.training) == (True, False)


def test_pixels_are_normalised_inside_or_outside():
    model = small_model()
    clips = pixel_clips(model, 2)
    with torch.no_grad():
        wanted = model(clips)
        torch.testing.assert_close(Exported(model, takes="pixels")(clips), wanted, rtol=1e-4, atol=1e-5)
        outside = Exported(model, takes="normalised")(model.normalise(clips))
    torch.testing.assert_close(outside, wanted, rtol=1e-4, atol=1e-5)
