"""Every network yields its attention video by one call, and every ending is what it says."""

import json

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.models.networks import AROUND, LIBRARIES, OWN, filled
from tests.video.sounding import heard, write_with_sound
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.feeding import Feeding
from vidtok.models.vivit import ViViT
from vidtok.nn.mixers import MIXERS
from vidtok.runs.film_files import ENDINGS
from vidtok.runs.visualize import run_visualize
from vidtok.viz.overlay import GAP, LINE

SIZES = {"classes": 5, "frames": 4, "size": (16, 24), "tubelet": (2, 8, 8), "width": 12, "depth": 2, "heads": 2}
HEAVY = ("stvit", "maxvit", "casvit", "casvit, two heads", "encoder", "transformers", "own", "encoder_vivit")
QUICK = [name for name in OWN if name not in HEAVY]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "a.mp4"
    write_with_sound(path)
    return path


def classifier_of(network):
    frames, rows, columns = network.clip
    return Classifier(
        network,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        classes=[f"class {k}" for k in range(5)],
        architecture=Architecture(network="vivit", options={}, frames=frames, size=(rows, columns)),
        feeding=Feeding(stride=1, short_side=2 * max(rows, columns)),
    )


def made(network, video, folder, *, kinds=("all",)):
    """The video of a network, read back: its frames, and the panels that were written beside it."""
    out, maps = folder / "maps.mp4", folder / "maps.npz"
    run_visualize(classifier_of(network), video, out=[out, maps], kinds=kinds, panel_size=40)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert float(stream.average_rate) == 10
        assert [each.codec_context.name for each in container.streams.audio] == ["aac"]
    with np.load(maps) as found:
        panels = json.loads(str(found["words"]))["panels"]
        sizes = {key: found[key].shape for key in found if key.split("_")[0] in ("map", "regions", "strip")}
    frames, rows, columns = network.clip
    assert len(pictures) == min(frames, 20)
    zoom = 40 / max(rows, columns)
    tall, wide = round(rows * zoom), round(columns * zoom)
    drawn = [panel for number, panel in enumerate(panels) if f"strip_{number}" not in sizes]
    across = min(len(drawn) + 1, 6 if len(drawn) > 10 else 5)
    assert pictures[0].shape[1] >= across * (wide + GAP) + GAP
    assert pictures[0].shape[0] >= -(-(len(drawn) + 1) // across) * (tall + LINE + GAP)
    corner = pictures[0][GAP + 2 * LINE : GAP + 2 * LINE + tall, GAP : GAP + wide].astype(float)
    assert np.abs(corner.mean() - 10 * 8) < 60  # the picture stands first: grey, and no background
    assert corner.std(-1).mean() < 4
    return pictures, panels, sizes


@pytest.mark.parametrize("name", QUICK)
def test_every_network_has_its_video(name, video, tmp_path):
    _, panels, sizes = made(filled(name), video, tmp_path)
    # What a plugin calls tokens may be no part of what it answers.
    kinds = {"attention"} if name == "a plugin's" else {"attention", "for", "evidence"}
    assert {panel["title"].split()[0] for panel in panels} >= kinds
    assert len(sizes) >= len(panels)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(name for name in HEAVY if name in OWN), *AROUND, *LIBRARIES])
def test_every_other_network_has_its_video_as_well(name, video, tmp_path):
    _, panels, _ = made(filled(name), video, tmp_path)
    assert panels


@pytest.mark.parametrize("name", sorted(MIXERS))
def test_every_mixer_has_its_video(name, video, tmp_path):
    torch.manual_seed(0)
    network = ViViT(**SIZES, mixer={"name": name})
    kinds = {"super_token": "super_tokens", "multi_axis": "windows", "mhsa": "query"}.get(name, "context")
    made(network, video, tmp_path, kinds=("attention", kinds))


def test_each_ending_is_what_it_says_and_sound_is_kept(video, tmp_path, capsys):
    torch.manual_seed(0)
    model = classifier_of(filled("vivit, super_token"))
    outs = [tmp_path / f"a{ending}" for ending in ENDINGS]
    assert run_visualize(model, video, out=outs, kinds=["super_tokens", "time"], whole=True, panel_size=40) == outs[0]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a.mp4: class ")
    assert [line.split(":")[0] for line in said[-4:]] == [str(out) for out in outs]
    samples, rate, _ = heard(outs[0])
    assert len(samples) / rate == pytest.approx(2, abs=0.1)
    assert np.abs(samples).max() > 0.2
    with av.open(str(outs[0])) as container:
        assert len(list(container.decode(video=0))) == 20
    with Image.open(outs[1]) as image:
        assert (image.n_frames, image.info["duration"]) == (20, 100)
    with Image.open(outs[2]) as image:
        assert image.format == "PNG"
        # A line for the pictures, the outlines and each reach; six frames beside each other.
        assert image.size[0] == max(6 * (40 + GAP) + GAP, 472)
    with np.load(outs[3]) as found:
        assert found["regions_0"].shape == (5, 2, 2, 3)
        assert found["map_1"].dtype == np.float32
        assert found["frames"].tolist() == [list(range(4 * k, 4 * k + 4)) for k in range(5)]
        np.testing.assert_allclose(found["seconds"][:, 0], [0, 0.4, 0.8, 1.2, 1.6], atol=1e-3)
