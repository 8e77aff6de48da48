"""Every word that is offered means something: the code that takes it knows it, by its table or by name."""

import io
import typing
from collections.abc import Collection
from itertools import combinations
from typing import Any

import av
import pytest
import torch

from tests.conftest import ROOT
from vidtok import choices
from vidtok.choices import (
    FROM_ENCODER,
    LIST_FORMS,
    SHORT,
    Backend,
    CoinLabel,
    Crops,
    EncoderPreset,
    EvalProtocol,
    ExportTarget,
    FineTuning,
    GELUForm,
    Inflation,
    ListForm,
    OwnShort,
    Precision,
    ProbeKind,
    ResNetDepth,
    Sampling,
    ScheduleKind,
    Short,
    Summary,
    TokenProbeKind,
)
from vidtok.data.eval_protocols import PROTOCOLS
from vidtok.data.formats import FORMS
from vidtok.data.geometry import CROPS
from vidtok.infer.evaluate import AGGREGATE_WORDS
from vidtok.infer.export import ENDINGS, WRITERS
from vidtok.models import NETWORKS
from vidtok.models.token_probes import TOKEN_PROBES
from vidtok.nn.mlp import ACTIVATIONS
from vidtok.nn.tubelet import inflate
from vidtok.video.protocols import ClipRule
from vidtok.video.reader import BACKENDS

CHOICES: dict[str, tuple[Any, ...]] = {
    name: typing.get_args(choice)
    for name, choice in vars(choices).items()
    if typing.get_origin(choice) is typing.Literal
}
BY_ANOTHER_TEST = ("EncoderPreset", "FineTuning", "Inflation", "ResNetDepth", "Summary")
"""Of these the code names some words only, and takes the last one for all else, hands them on, or splits them."""


def test_no_word_is_offered_that_nothing_knows():
    """The package's code, vidtok/choices.py aside, names each between quotes."""
    paths = [path for path in (ROOT / "vidtok").rglob("*.py") if path.name != "choices.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    offered = {name: [word for word in words if isinstance(word, str)] for name, words in CHOICES.items()}
    unknown = {
        f"{name}: {word}"
        for name, words in offered.items()
        for word in words
        if name not in BY_ANOTHER_TEST and f'"{word}"' not in code
    }
    assert not unknown


@pytest.mark.parametrize("name", CHOICES)
def test_no_word_is_offered_twice(name):
    assert len(set(CHOICES[name])) == len(CHOICES[name])


@pytest.mark.parametrize(
    ("choice", "table"),
    [
        (Backend, BACKENDS),
        (Crops, CROPS),
        (EvalProtocol, PROTOCOLS),
        (ExportTarget, WRITERS),
        (ExportTarget, ENDINGS),
        (GELUForm, ACTIVATIONS),
        (TokenProbeKind, TOKEN_PROBES),
        (choices.Aggregate, AGGREGATE_WORDS),
    ],
)
def test_a_choice_is_what_the_table_holds(choice: Any, table: Collection[object]):
    assert set(typing.get_args(choice)) == set(table)


def test_forms_of_lists_are_those_that_are_read_each_with_its_words():
    assert typing.get_args(ListForm) == ("auto", *FORMS) == ("auto", *LIST_FORMS)
    assert {name: form.words for name, form in FORMS.items()} == LIST_FORMS
    with pytest.raises(TypeError):
        LIST_FORMS["paths"] = "other words"  # pyright: ignore[reportIndexIssue]


def test_a_network_around_an_encoder_is_a_network():
    """Each name in the table is that of a network whose weights lie elsewhere."""
    assert set(FROM_ENCODER) <= set(NETWORKS)


def test_what_a_short_video_does_is_known_to_the_rules_that_leave_it_open():
    """ClipRule asks this table: what it says is held against clips in tests/video/test_protocols.py."""
    assert set(SHORT) <= set(typing.get_args(Sampling))
    assert SHORT["vidtok"] == typing.get_args(OwnShort)
    assert {word for words in SHORT.values() for word in words} == set(typing.get_args(Short))
    for rule in typing.get_args(Sampling):
        for short in typing.get_args(Short):
            stride = 1 if rule == "segments" else 2
            if short in SHORT.get(rule, ()):
                past = ClipRule(frames=8, stride=stride, sampling=rule, short=short)
                clip = past.testing_clips(torch.arange(5).double() / 10, 1)[0]
                assert clip.min() >= 0
                assert clip.max() < 5
            else:
                with pytest.raises(ValueError, match=r"belongs to the sampling|is not known to"):
                    ClipRule(frames=8, stride=stride, sampling=rule, short=short)


@pytest.mark.parametrize("preset", typing.get_args(EncoderPreset))
def test_x264_knows_the_preset(preset):
    with av.open(io.BytesIO(), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=10, options={"preset": preset})
        stream.width, stream.height = 32, 16
        file.mux(stream.encode(av.VideoFrame(32, 16, "yuv420p")))
        file.mux(stream.encode(None))


def test_presets_go_from_quick_to_slow():
    """As x264 lists them: the frames that it looks ahead and the references grow."""
    assert typing.get_args(EncoderPreset) == (
        *("ultrafast", "superfast", "veryfast", "faster", "fast"),
        *("medium", "slow", "slower", "veryslow"),
    )


def test_a_summary_is_the_means_or_any_parts_together():
    parts = ("time", "maps", "motion")
    together = {"_".join(chosen) for count in (1, 2, 3) for chosen in combinations(parts, count)}
    assert set(typing.get_args(Summary)) == {"mean", *together}


def test_pictures_become_tubelets_in_three_ways():
    kernel = torch.ones(1, 1, 1, 1)
    ways = [inflate(kernel, 4, how=how).flatten() for how in typing.get_args(Inflation)]
    assert typing.get_args(Inflation) == ("central", "average", "average_arp")
    assert [way.tolist() for way in ways[:2]] == [[0, 0, 1, 0], [0.25] * 4]
    torch.testing.assert_close(ways[2].sum(), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_probes_of_a_frozen_encoder_are_the_linear_one_and_those_on_tokens():
    assert typing.get_args(ProbeKind) == ("linear", *typing.get_args(TokenProbeKind))


def test_fine_tuning_is_measured_on_all_folds_or_one():
    assert typing.get_args(FineTuning) == ("folds", "once")


def test_a_step_is_no_beginning_of_a_name():
    """The code knows `step_` as well: checkpoints are called so, and the test of unknown words would let it pass."""
    assert typing.get_args(ScheduleKind) == ("cosine", "linear", "step")
    assert typing.get_args(CoinLabel) == ("task", "step")


def test_resnets_have_as_many_layers_as_published():
    """Stages of three-layer blocks, with the stem and the head: He et al., arXiv 1512.03385, table 1."""
    blocks = ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3))
    assert typing.get_args(ResNetDepth) == tuple(3 * sum(stages) + 2 for stages in blocks)


def test_precisions_are_torch_s_or_short_for_them():
    names = {"float32": "float32", "bf16": "bfloat16", "fp16": "float16"}
    assert {
        word: getattr(torch, names[word]).is_floating_point for word in typing.get_args(Precision)
    } == dict.fromkeys(names, True)
