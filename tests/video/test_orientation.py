"""Display matrices: all eight that turn and mirror, over every backend, in every way of asking, and baked in."""

import struct
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.video.clips import make_clip, numbered_picture
from tests.video.test_conformance import missing
from vidtok.data.transforms import crop_resize
from vidtok.errors import DecodeError
from vidtok.types import Box
from vidtok.video.check import check_video
from vidtok.video.indexed import Uprighter, read_facts
from vidtok.video.orientation import UPRIGHT, Orientation, matrix_orientation, orientation_of
from vidtok.video.prepare import prepare_video
from vidtok.video.pyav import PyAVReader
from vidtok.video.reader import open_video

ROWS, COLUMNS = 64, 96
Matrix = tuple[int, int, int, int]  # a, b, c, d: column p, row q are shown at column a p + c q and row b p + d q
MATRICES: list[Matrix] = [
    *((s, 0, 0, t) for s in (1, -1) for t in (1, -1)),
    *((0, s, t, 0) for s in (1, -1) for t in (1, -1)),
]
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif((why := missing(name)) is not None, reason=why or "it loads"))
    for name in ("pyav", "torchcodec", "decord")
]


def with_matrix(path: Path, matrix: Matrix, *, scale: int = 1 << 16) -> Path:
    """Have the track header of an mp4 say this display matrix (ISO/IEC 14496-12, section 8.3.2)."""
    a, b, c, d = (entry * scale for entry in matrix)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def shown(coded: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Each pixel of a picture (y, x, c) put where the matrix says, one by one."""
    a, b, c, d = matrix
    rows, columns = coded.shape[:2]
    places = {
        (b * p + d * q, a * p + c * q): coded[q, p] for q in range(rows) for p in range(columns)
    }  # fmt: skip
    top, left = min(y for y, _ in places), min(x for _, x in places)
    upright = np.zeros((rows, columns, 3) if a else (columns, rows, 3), np.uint8)
    for (y, x), pixel in places.items():
        upright[y - top, x - left] = pixel
    return upright


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, np.ndarray]]:
    """A clip, and its fifth picture as it is coded."""
    path = make_clip(tmp_path_factory.mktemp("orientation") / "clip.mp4", frames=9, size=(ROWS, COLUMNS))
    with PyAVReader(path) as video:
        yield path, video.frames_at([5]).pixels[0].permute(1, 2, 0).numpy()


def turned(folder: Path, plain: Path, matrix: Matrix) -> Path:
    (folder / "clip.mp4").write_bytes(plain.read_bytes())
    return with_matrix(folder / "clip.mp4", matrix)


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_shows_what_the_matrix_says(tmp_path: Path, plain, backend: str, matrix: Matrix):
    path = turned(tmp_path, plain[0], matrix)
    expected = torch.from_numpy(shown(plain[1], matrix)).permute(2, 0, 1)
    with open_video(path, backend=backend) as video:
        assert video.size == expected.shape[1:]
        pictures = [video.frames_at([0, 5]).pixels[1], dict(video.each_at([5, 2]))[5].clone()]
        small = video.frames_at([5], short_side=32).pixels[0]
    for picture in pictures:
        assert int((picture.int() - expected.int()).abs().max()) <= 1
    nearby = torch.nn.functional.interpolate(expected[None].float(), size=small.shape[1:], mode="area")[0]
    assert float((small.float() - nearby).abs().mean()) < 6


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
@pytest.mark.parametrize("flip", [False, True])
def test_boxes_of_the_upright_picture(tmp_path: Path, plain, matrix: Matrix, flip: bool):
    box = Box(top=7, left=12, height=40, width=44, flip=flip)
    with PyAVReader(turned(tmp_path, plain[0], matrix)) as video:
        whole = video.frames_at([1, 5])
        part = video.frames_at([1, 5], within=lambda size: box)
        (cut,) = video.crops_at([([1, 5], box)], size=40)
    assert torch.equal(part.pixels, whole.pixels[:, :, 7:47, 12:56])
    expected = crop_resize(whole.pixels, box, size=40)
    assert float((cut.pixels.float() - expected.float()).abs().mean()) < 6  # tens where it lies otherwise


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_prepared_videos_have_it_baked_in(tmp_path: Path, plain, matrix: Matrix):
    path = turned(tmp_path, plain[0], matrix)
    facts = prepare_video(path, tmp_path / "made.mp4", short_side=64, crf=1)
    with PyAVReader(path) as before, PyAVReader(tmp_path / "made.mp4") as after:
        assert facts.size == after.size == before.size == check_video(path).size
        old, new = before.frames_at([0, 5]), after.frames_at([0, 5])
        assert after.orientation == UPRIGHT
    assert float((old.pixels.float() - new.pixels.float()).abs().mean()) < 2


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_pictures_of_a_folder_lie_as_exif_says(tmp_path: Path, matrix: Matrix):
    code = {
        (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
        (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
    }[matrix]  # fmt: skip
    coded = numbered_picture(9, size=(ROWS, COLUMNS))
    exif = Image.Exif()
    exif[0x0112] = code
    Image.fromarray(coded).save(tmp_path / "a.png", exif=exif)
    with open_video(tmp_path / "a.png") as video:
        assert np.array_equal(video.frames_at([0]).pixels[0].permute(1, 2, 0).numpy(), shown(coded, matrix))


@pytest.mark.parametrize("hflip", [0, 1])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_what_the_stream_itself_asks_for(tmp_path: Path, plain, degrees: int, hflip: int):
    """H.264 can say it in a message before a picture (ITU-T H.264, D.2.27), in a container that says nothing."""
    options = f"h264_metadata=display_orientation=insert:rotate={degrees}:flip={'horizontal' if hflip else ''}"
    path = tmp_path / "clip.mkv"
    with av.open(str(plain[0])) as old, av.open(str(path), "w") as new:
        source = old.streams.video[0]
        target = new.add_stream_from_template(source)
        message = av.BitStreamFilterContext(options.removesuffix(":flip="), source, target)
        for packet in [*old.demux(source)]:
            for changed in message.filter(packet if packet.size else None):
                changed.stream = target
                new.mux(changed)
    with PyAVReader(path) as video:
        upright = video.frames_at([5]).pixels[0].permute(1, 2, 0).numpy()
    mirrored = plain[1][:, ::-1] if hflip else plain[1]
    assert np.array_equal(upright, np.rot90(mirrored, degrees // 90))
    reason = missing("decord")
    if reason is None:
        with open_video(path, backend="decord") as video:
            got = video.frames_at([5]).pixels[0].permute(1, 2, 0).numpy()
        assert int(np.abs(got.astype(int) - upright.astype(int)).max()) <= 1


def test_the_nearest_of_eight():
    for matrix in MATRICES:
        a, b, c, d = matrix
        exact = matrix_orientation(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32))
        assert exact.mirrored == (a * d - b * c < 0)
        for degrees in (-40, 40):  # the picture is turned a little further
            turn = np.deg2rad(degrees)
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            (a2, c2), (b2, d2) = np.rint(65536 * rotation @ np.array([[a, c], [b, d]])).astype(np.int32)
            near = np.array([a2, b2, 0, c2, d2, 0, 1 << 22, 5, 1 << 30], np.int32)
            assert matrix_orientation(near) == exact
    stretched = np.array([0, 3 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], np.int32)
    assert matrix_orientation(stretched) == Orientation(turns=3)
    for flat in ((0, 0, 0, 0), (1, 1, 1, 1), (-1, 0, 0, 0)):
        a, b, c, d = flat
        assert matrix_orientation(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32)) == UPRIGHT


def test_a_decoder_that_turns_in_an_unknown_way_is_refused(tmp_path: Path, plain):
    path = turned(tmp_path, plain[0], (0, 1, 1, 0))
    facts = read_facts(path, timeout_seconds=30.0)
    assert facts.first_picture is not None
    for turns in range(4):
        given = torch.rot90(facts.first_picture, turns, dims=(1, 2))
        upright = Uprighter(path, facts, given)(given)
        assert np.array_equal(
            upright.permute(1, 2, 0).numpy(), shown(facts.first_picture.permute(1, 2, 0).numpy(), (0, 1, 1, 0))
        )
    with pytest.raises(DecodeError, match=r"clip\.mp4: asks for turned pictures.*pyav reads it"):
        Uprighter(path, facts, facts.first_picture.flip(2))
    with pytest.raises(DecodeError, match="asks for turned pictures"):
        Uprighter(path, facts, facts.first_picture[:, :-1])


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2), (270, 3), (44, 0)])
def test_where_side_data_cannot_be_read_the_angle_counts(degrees, turns):
    frame = create_autospec(av.VideoFrame, instance=True)
    frame.side_data.get.side_effect = ValueError("an unknown kind")
    frame.rotation = degrees
    assert orientation_of(frame) == Orientation(turns=turns)
