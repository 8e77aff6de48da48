"""What the worker finds in a video: the same as the commands, with its attention video; and what it will not open."""

import av
import numpy as np
import pytest
import torch

from tests.infer.joined import join_clips
from tests.runs.own_clips import colour_model, own_clips
from vidtok.errors import DataError, DecodeError
from vidtok.infer.timeline import score_windows
from vidtok.page.look import Looker, check_container
from vidtok.runs.timeline import segments_of
from vidtok.video.write import write_video


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    own_clips(folder / "clips", each=2, frames=16)
    model = colour_model(folder / "clips", folder / "encoder.safetensors", seconds=1.6)
    model.save_pretrained(folder / "run" / "model")
    clips = [(folder / "clips" / name / "p0_0.mp4", name) for name in ("red", "blue")]
    join_clips(clips, folder / "long.mp4", fps=10.0)
    return folder


@pytest.fixture(scope="module")
def looker():
    return Looker(device="cpu")


def looked(looker, desk, video, **more):
    found, stages = {}, []

    def tell(what, content):
        found.update(content) if what == "part" else stages.append(content)

    task = {"do": "look", "video": str(video), "model": str(desk / "run"), "title": "mine.mp4", "film": None}
    task |= {"video_seconds": 60.0, "film_seconds": 30.0, **more}
    looker.do(task, tell=tell)
    return found, stages


def test_the_videos_of_a_folder_are_found_by_their_endings(looker, tmp_path):
    told = []
    (tmp_path / "more").mkdir()
    for name in ("b.mp4", "more/a.avi", "notes.txt"):
        (tmp_path / name).touch()
    looker.do({"do": "find", "folder": str(tmp_path)}, tell=lambda *news: told.append(news))
    assert told == [("part", {"names": ["b.mp4", "more/a.avi"]})]
    with pytest.raises(DataError, match="none: no such folder"):
        looker.do({"do": "find", "folder": str(tmp_path / "none")}, tell=lambda *news: None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no videos in it \(known endings: .*\.mp4"):
        looker.do({"do": "find", "folder": str(tmp_path / "empty")}, tell=lambda *news: None)


@pytest.mark.slow
def test_a_video_is_looked_at_as_by_the_commands(looker, desk, tmp_path):
    film = tmp_path / "film.mp4"
    found, stages = looked(looker, desk, desk / "long.mp4", film=str(film), top=2)
    assert found["video"] == {"seconds": 3.2, "frames": 32, "size": [64, 48]}
    assert found["top"][0]["class"] in ("red", "blue")
    assert len(found["top"]) == 2
    (loaded,) = looker._models.values()
    segments = segments_of(score_windows(loaded.model, desk / "long.mp4"), loaded.model)
    told = found["timeline"]
    assert [each["start"] for each in told["segments"]] == [round(each.start_seconds, 3) for each in segments]
    assert [each["score"] for each in told["segments"]] == pytest.approx([each.score for each in segments], abs=1e-5)
    assert [each["class"] for each in told["segments"]] == ["red", "blue"]
    assert told["segments"][1]["end"] == pytest.approx(3.2)
    assert (told["begin"], told["end"]) == pytest.approx((0.0, 3.2))
    with av.open(str(film)) as written:
        assert written.streams.video[0].codec_context.name == "h264"
        assert len(list(written.decode(video=0))) == len(found["film"]["seconds"]) == 32
    assert found["film"]["fps"] == pytest.approx(10.0)
    assert found["film"]["seconds"] == pytest.approx([number / 10 for number in range(32)])
    assert found["film"]["whole"] is True
    assert any("speaks for" in note or "radient" in note for note in found["film"]["notes"])
    words = [stage[0] for stage in stages]
    assert list(dict.fromkeys(words)) == [
        "reading the video",
        "looking for the class",
        "going through the video",
        "asking where the model looks",
        "drawing where the model looks",
    ]
    for word in list(dict.fromkeys(words))[2:]:
        shares = [share for stage, share in stages if stage == word]
        assert shares == sorted(shares)
        assert shares[0] < 0.1
        assert shares[-1] > 0.8
    assert words.count("drawing where the model looks") == 32


@pytest.mark.slow
def test_of_a_long_video_the_clip_in_its_middle_is_drawn(looker, desk, tmp_path):
    found, _ = looked(
        looker, desk, desk / "long.mp4", film=str(tmp_path / "film.mp4"), film_seconds=3.0, timeline=False
    )
    assert found["film"]["whole"] is False
    assert len(found["film"]["seconds"]) == 2, "the model's clips have two frames"
    assert "timeline" not in found


def test_what_is_too_long_is_told_before_it_is_looked_at(looker, desk):
    with pytest.raises(DataError, match=r"long\.mp4: 3\.2 s long; 3 s are the most that is taken"):
        looked(looker, desk, desk / "long.mp4", video_seconds=3.0)


def test_a_picture_has_a_class_and_no_timeline(looker, desk, tmp_path):
    write_video(tmp_path / "one", torch.full((1, 3, 48, 64), 60, dtype=torch.uint8), fps=10.0)
    found, _ = looked(looker, desk, tmp_path / "one", film=str(tmp_path / "film.mp4"))
    assert found["no_timeline"] == "the video: has one frame; a timeline is of a video"
    assert len(found["top"]) == 3


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{video}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {video}\n",
        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
        "no video at all",
        "",
    ],
)
def test_a_file_that_names_other_files_is_not_followed(looker, desk, tmp_path, text):
    """The server's own files would come out of it."""
    file = tmp_path / "video"
    file.write_text(text.format(video=desk / "long.mp4"))
    with pytest.raises(DecodeError, match="is no video that can be read"):
        check_container(file)
    with pytest.raises(DecodeError):
        looked(looker, desk, file)


def test_containers_are_known_by_their_content(tmp_path):
    rng = np.random.default_rng(0)
    for ending, form in ((".mp4", "mp4"), (".mkv", "matroska"), (".avi", "avi"), (".ts", "mpegts"), (".gif", "gif")):
        with av.open(str(tmp_path / "made"), "w", format=form) as made:
            stream = made.add_stream("gif" if form == "gif" else "mpeg4", rate=10)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "rgb8" if form == "gif" else "yuv420p"
            for _ in range(12):
                pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
                made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            made.mux(stream.encode(None))
        check_container(tmp_path / "made")
        (tmp_path / "made").rename(tmp_path / f"a{ending}.txt")
        check_container(tmp_path / f"a{ending}.txt")


def test_a_preview_plays_and_is_short(looker, desk, tmp_path):
    task = {"do": "preview", "video": str(desk / "long.mp4"), "film": str(tmp_path / "film.mp4")}
    looker.do(task, tell=lambda what, content: None)
    with av.open(str(tmp_path / "film.mp4")) as written:
        assert written.streams.video[0].codec_context.name == "h264"
        assert len(list(written.decode(video=0))) == 32


def test_models_are_loaded_once_and_anew_when_they_change(looker, desk, monkeypatch):
    import vidtok.page.look as module

    loaded, loads = looker._loaded(str(desk / "run")), []
    monkeypatch.setattr(module, "load_model", lambda *args, **how: loads.append(args[0]) or loaded.model)
    monkeypatch.setattr(type(loaded.model), "for_inference", lambda model: loaded.quick)
    told: dict = {}
    own = Looker(device="cpu")
    task = {"do": "open", "model": str(desk / "run")}
    for _ in range(2):
        own.do(task, tell=lambda what, content: told.update(content))
    assert told == {"classes": ["blue", "green", "red"]}
    assert loads == [str(desk / "run")]
    file = desk / "run" / "model" / "config.json"
    file.write_text(file.read_text())
    own.do(task, tell=lambda what, content: None)
    assert len(loads) == 2
    assert len(own._models) == 1, "the old one is forgotten"
