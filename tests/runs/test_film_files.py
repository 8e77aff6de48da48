"""Every network yields its attention video by one call, and every ending is what it says."""

import json

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.models.networks import AROUND, LIBRARIES, OWN, filled
from tests.video.sounding import heard, write_with_sound
from vidtok.errors import ConfigError
from vidtok.infer.film import Question, make_film
from vidtok.infer.predict import model_views
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.feeding import Feeding
from vidtok.models.vivit import ViViT
from vidtok.nn.mixers import MIXERS
from vidtok.runs import film_files
from vidtok.runs.film_files import ENDINGS, Row, write_film
from vidtok.runs.visualize import run_visualize
from vidtok.video.reader import open_video
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


@pytest.fixture(scope="module")
def filmed(video):
    """A reader, the views of a model, and a film of its clip and one of the whole video, a panel each."""
    model = classifier_of(filled("vivit"))
    views = model_views(model)
    with open_video(video) as reader:
        films = [
            make_film(model, reader, views, Question(kinds=("query",)), kind="softmax", whole=whole)
            for whole in (False, True)
        ]
        yield reader, views, *films


@pytest.fixture
def drawn(monkeypatch):
    """What the mosaics are asked for, one after the other."""
    asked, made = [], film_files.Mosaic
    monkeypatch.setattr(film_files, "Mosaic", lambda **given: asked.append(given) or made(**given))
    return asked


def test_a_sheet_has_six_frames_evenly_spaced_or_all_of_a_clip(filmed, drawn, tmp_path):
    reader, views, clip, whole = filmed
    out = tmp_path / "a.png"
    said = write_film(out, [Row(film=whole)], reader, views, heading="h")
    with Image.open(out) as image:
        assert said == f"{out}: 6 of 20 frames, {image.size[0]} x {image.size[1]}"
    (asked,) = drawn
    assert asked["titles"][:6] == [f"frame {number}" for number in (2, 6, 9, 12, 16, 19)]
    assert asked["titles"][6:] == [whole.panels[0].title, "", f"max {whole.tops[0]:.2g}", "", "", ""]
    assert asked["tops"] == [0.0] * 6 + [whole.tops[0]] * 6
    assert (asked["columns"], asked["panel_size"], asked["guesses"], asked["heading"]) == (6, 128, 3, "h")
    assert write_film(out, [Row(film=clip)], reader, views, heading="h", panel_size=40).startswith(f"{out}: 4 of 4 fr")
    assert (drawn[1]["columns"], drawn[1]["panel_size"]) == (4, 40)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("panel_size", [40, 128])
def test_films_of_several_checkpoints_stand_below_each_other(filmed, drawn, tmp_path, panel_size):
    reader, views, clip, _ = filmed
    rows = [Row(film=clip, title="one"), Row(film=clip, title="two")]
    out = tmp_path / "a.png"
    said = write_film(out, rows, reader, views, heading="h", panel_size=panel_size)
    assert said.startswith(f"{out}: frame 3 of 4, ")
    (asked,) = drawn
    title = clip.panels[0].title + (f"  max {clip.tops[0]:.2g}" if panel_size == 128 else "")
    assert asked["titles"] == ["one", title, "two", title]
    assert (asked["columns"], asked["picture"]) == (2, (16, 24))
    assert asked["tops"] == [0.0, clip.tops[0]] * 2
    out = tmp_path / "a.npz"
    assert write_film(out, rows, reader, views, heading="h") == f"{out}: 2 panels, 1 windows"
    with np.load(out) as found:
        words = json.loads(str(found["words"]))
        assert found["map_1"].shape == (1, *clip.panels[0].maps.shape)
    assert [panel["row"] for panel in words["panels"]] == ["one", "two"]
    assert words["fps"] == clip.fps


def test_a_gif_has_its_limit_and_films_their_size_and_pace_in_words(filmed, drawn, tmp_path, monkeypatch):
    reader, views, clip, _ = filmed
    out = tmp_path / "a.gif"
    monkeypatch.setattr(film_files, "MOST_GIF_FRAMES", 3)
    with pytest.raises(ConfigError, match=r"a\.gif: 4 frames are too many for a GIF; .*a\.mp4 would do"):
        write_film(out, [Row(film=clip)], reader, views, heading="h")
    monkeypatch.setattr(film_files, "MOST_GIF_FRAMES", 4)
    said = write_film(out, [Row(film=clip)], reader, views, heading="h")
    with Image.open(out) as image:
        assert said == f"{out}: 4 frames of {image.size[0]} x {image.size[1]} at 10 per second"
    (asked,) = drawn
    assert (asked["panel_size"], asked["columns"]) == (224, None)
    assert asked["titles"][0] == "picture"
