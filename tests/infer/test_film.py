"""Films: which map each frame of a clip or of a whole video shows, and where a point of the video falls."""

import numpy as np
import pytest
import torch

from vidtok.errors import DecodeError
from vidtok.infer.film import Film, Question, each_picture, look_at, make_film
from vidtok.infer.pictures import Ask, Shown
from vidtok.infer.predict import model_views
from vidtok.infer.spot import Spot
from vidtok.infer.tape import Tape
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.video.reader import open_video
from vidtok.video.write import write_video

SIZES = {"width": 12, "depth": 1, "heads": 2, "tubelet": (2, 8, 8), "frames": 4, "size": 16}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Thirteen pictures of 24 x 40, each with a grey of its own, ten a second."""
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    greys = 40 + 12 * torch.arange(13, dtype=torch.uint8)
    write_video(path, greys.view(13, 1, 1, 1).expand(13, 3, 24, 40).contiguous(), fps=10, crf=2)
    return path


def model_of(stride=1, *, classes="ab", **feeding):
    torch.manual_seed(0)
    feeding = Feeding(stride=stride, short_side=20, **feeding)
    model = create_model("vivit", classes=[*classes], feeding=feeding, **SIZES)
    with torch.no_grad():
        model.network.head.logits.weight.normal_()
    return model


def film_of(video, model, *, whole=False, said=lambda share: None, **question):
    with open_video(video) as reader:
        views = model_views(model)
        return make_film(model, reader, views, Question(**question), kind="softmax", whole=whole, said=said)


def test_a_clip_is_drawn_frame_by_frame(video):
    model = model_of(stride=2)
    film = film_of(video, model, kinds=("query", "time"))
    assert film.drawn.tolist() == film.indices[0].tolist() == [3, 5, 7, 9]
    assert (film.fps, film.windows.tolist(), film.places.tolist()) == (pytest.approx(5.0), [0] * 4, [0, 1, 2, 3])
    with open_video(video) as reader:
        views = model_views(model)
        (view,) = views.views(reader.pts_seconds, np.random.default_rng(0))
        clip = views.crop(reader.frames_at(view.indices.tolist(), short_side=20).pixels, view)
    (query, strip), guesses = look_at(model, clip, kinds=("query", "time"))
    assert film.guesses == (guesses,)
    assert film.tops[0] == float(query.maps.max())
    for number in range(4):  # two frames have one time step
        (cell,) = film.cells(number)
        torch.testing.assert_close(cell.heat, query.maps[number // 2])
    (shown,) = film.strips()
    torch.testing.assert_close(shown.values, strip.over_time)
    assert [film.at(number) for number in range(4)] == [0.125, 0.375, 0.625, 0.875]


def test_of_a_whole_video_every_frame_is_drawn_with_its_window_s_map(video):
    model = model_of(stride=1)
    film = film_of(video, model, whole=True, kinds=("query",))
    assert film.indices.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [9, 10, 11, 12]]
    assert film.drawn.tolist() == list(range(13))
    assert film.windows.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3]
    np.testing.assert_allclose(film.places, [0, 1, 2, 3] * 3 + [3], atol=1e-6)
    assert (film.fps, film.tape.length, len(film.guesses)) == (pytest.approx(10.0), 4, 4)
    with open_video(video) as reader:
        pixels = torch.stack(list(each_picture(reader, model_views(model), film.drawn.tolist())))
    assert (pixels.float().mean((1, 2, 3)) - (40 + 12 * torch.arange(13))).abs().max() < 3
    (query,), _ = look_at(model, pixels[4:8], kinds=("query",))
    torch.testing.assert_close(film.cells(5)[0].heat, query.maps[0])
    torch.testing.assert_close(film.cells(6)[0].heat, query.maps[1])
    assert film.tops == (float(film.stacked(0).max()),)
    shares: list[float] = []
    film_of(video, model, whole=True, said=shares.append, kinds=("query",))
    assert shares == [0.25, 0.5, 0.75, 1.0]
    assert film.stacked(0).shape == (4, 2, 2, 2)
    assert len(set(film.stacked(0).max(axis=(1, 2, 3)))) > 1


def test_frames_between_those_that_the_network_saw_hold_or_mix_their_maps():
    maps = torch.tensor([[[0.0]], [[1.0]]])
    panel = Shown(title="a", place="b", query="c", meaning="d", maps=maps)
    tape = Tape([maps.numpy(), np.zeros(0, np.int32)])
    tape.append([maps.numpy(), np.zeros(0, np.int32)])
    places = np.array([0.0, 1.0, 1.5, 2.0, 3.0])

    def heats(between):
        film = Film(
            panels=(panel,),
            tape=tape,
            tops=(1.0,),
            rings=((0, None),),
            guesses=((),),
            indices=torch.arange(4)[None],
            seconds=np.arange(4.0)[None],
            drawn=np.arange(5),
            windows=np.zeros(5, np.int64),
            places=places,
            fps=1.0,
            between=between,
        )
        return [film.cells(number)[0].heat.item() for number in range(5)]

    assert heats("hold") == [0, 0, 0, 1, 1]
    assert heats("linear") == [0, 0.25, 0.5, 0.75, 1]  # steps' middles are at 0.5 and 2.5


def test_the_token_of_a_point_is_asked_in_its_frame(video):
    """What the point's place is, tests/infer/test_spot.py says."""
    model = model_of(stride=2)
    film = film_of(video, model, kinds=("query",), spot=Spot(x=15, y=18, seconds=0.75))
    assert film.rings == ((2, (pytest.approx((18.5 * 20 / 24 - 2) / 16), pytest.approx((15.5 * 33 / 40 - 8) / 16))),)
    assert [film.cells(number)[0].ring is not None for number in range(4)] == [False, False, True, True]
    for seconds, frame in ((0, 0), (0.5, 1), (1.3, 3)):
        assert film_of(video, model, kinds=("query",), spot=Spot(x=15, y=18, seconds=seconds)).rings[0][0] == frame


def test_a_class_can_be_asked_for(video):
    model = model_of()
    clip = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model.train()
    titles = [look_at(model, clip, kinds=("gradient",), ask=Ask(label=k))[0][0].title for k in (0, 1)]
    assert titles == ["for a", "for b"]
    assert model.training


def test_a_clip_goes_at_its_own_pace_and_names_its_best_classes(video):
    film = film_of(video, model_of(classes="abcde", target_fps=5.0), kinds=("query",))
    assert film.fps == pytest.approx(5.0)
    (best,) = film.guesses
    assert len(best) == 3
    assert [score for _, score in best] == sorted((score for _, score in best), reverse=True)
    assert len({name for name, _ in best}) == 3
    assert film_of(video, model_of(sampling="segments"), kinds=("query",)).fps == pytest.approx(10 * 4 / 13)


@pytest.mark.parametrize("drawn", [[2, 2, 5], [5, 2, 2]])
def test_pictures_come_in_the_order_in_which_they_are_drawn(video, drawn):
    views = model_views(model_of())
    with open_video(video) as reader:
        pixels = torch.stack(list(each_picture(reader, views, drawn)))
    assert pixels.shape == (3, 3, 16, 16)
    assert (pixels.float().mean((1, 2, 3)) - (40 + 12 * torch.tensor(drawn))).abs().max() < 3


def test_frames_that_do_not_come_in_their_order_are_refused(video, monkeypatch):
    model = model_of()
    with open_video(video) as reader:
        each_at = reader.each_at

        def disordered(indices, *, short_side):
            found = {index: picture.clone() for index, picture in each_at(indices, short_side=short_side)}
            yield from ((index, found[index]) for index in (0, 1, 2, 3, 4, 5, 4, 6))

        monkeypatch.setattr(reader, "each_at", disordered)
        with pytest.raises(DecodeError, match=r"a\.mp4: its frames cannot be had in their order; `vidtok prepare`"):
            make_film(model, reader, model_views(model), Question(), kind="softmax", whole=True)
        with pytest.raises(DecodeError, match=r"a\.mp4: its frames cannot be had in their order; `vidtok prepare`"):
            list(each_picture(reader, model_views(model), range(8)))


def test_of_a_whole_video_the_class_changes_and_has_no_name(video):
    model = model_of()
    (part,) = film_of(video, model, kinds=("gradient",)).panels
    (whole,) = film_of(video, model, whole=True, kinds=("gradient",)).panels
    assert part.title in ("for a", "for b")
    assert whole.title == "for the best class"
