"""The operations of RandAugment and AutoAugment against torchvision and plain formulas, and how they are drawn."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from vidtok.data import rand_augment
from vidtok.data.rand_augment import (
    COLOUR_OPERATIONS,
    GEOMETRIC_OPERATIONS,
    IMAGENET_POLICY,
    RandAugment,
    adjust_contrast,
    auto_augment,
    operate,
)

ALL = (*COLOUR_OPERATIONS, *GEOMETRIC_OPERATIONS)
# Our names -> torchvision's.
NAMES = {
    "saturation": "Color",
    "autocontrast": "AutoContrast",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
}


def noise(frames=3, height=20, width=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(20, 230, (frames, 3, height, width), dtype=torch.uint8, generator=generator)


def theirs(pixels, operation, strength):
    """torchvision's own operation: of 31 magnitudes the one at this share of the range."""
    name = NAMES.get(operation, operation.title())
    height, width = pixels.shape[-2:]
    span, signed = v2.AutoAugment._AUGMENTATION_SPACE.get(name, (lambda *_: None, False))
    magnitudes = span(31, height, width)
    magnitude = 0.0 if magnitudes is None else float(magnitudes[round(30 * abs(strength))])
    magnitude *= -1 if signed and strength < 0 else 1
    mode = v2.InterpolationMode.BILINEAR
    fill = {torch.Tensor: [128.0]}
    return v2.RandAugment(interpolation=mode)._apply_image_or_video_transform(
        pixels, name, magnitude, interpolation=mode, fill=fill
    )


@pytest.mark.parametrize("operation", [*ALL, "invert"])
@pytest.mark.parametrize("strength", [0.3, 0.9, 1.0])
def test_operations_are_those_of_torchvision(operation, strength):
    for signed in (strength, -strength) if operation in rand_augment.SIGNED else (strength,):
        ours, other = operate(noise(), operation, signed), theirs(noise(), operation, signed)
        # Magnitudes in float32 there, and contrast cut off where it is rounded here: a grey level at most.
        assert (ours.int() - other.int()).abs().max() <= 1


@pytest.mark.parametrize("operation", [*ALL, "invert"])
def test_operations_change_every_frame_alike_and_more_with_strength(operation):
    one = noise(frames=1)
    still = one.expand(4, 3, 20, 24).contiguous()
    before = still.clone()
    out = operate(still, operation, 0.9)
    assert out.dtype == torch.uint8
    assert out.shape == still.shape
    assert torch.equal(still, before)
    assert all(torch.equal(frame, out[0]) for frame in out)
    assert torch.equal(out, still) == (operation == "identity")
    if operation not in ("identity", "autocontrast", "equalize", "invert"):
        ramp = torch.linspace(20, 230, 20 * 24).view(1, 1, 20, 24).expand(1, 3, 20, 24).to(torch.uint8)
        x = ramp.contiguous() if operation in GEOMETRIC_OPERATIONS else one
        near, far = ((operate(x, operation, s).int() - x.int()).abs().float().mean() for s in (0.3, 1.0))
        assert near < far


def test_strength_goes_on_beyond_one_where_it_can():
    x = noise()
    for operation in ("posterize", "solarize"):
        assert torch.equal(operate(x, operation, 2.0), operate(x, operation, 1.0))
    for operation in ("saturation", "brightness", *GEOMETRIC_OPERATIONS):
        assert not torch.equal(operate(x, operation, 1.5), operate(x, operation, 1.0))
        operate(x, operation, -2.0)  # a factor of 1 - 1.8 would be none


def test_contrast_is_its_formula():
    x = noise(frames=2, height=3, width=4)
    out = adjust_contrast(x, 1.7)
    for f in range(2):
        grey = [int(0.2989 * float(p[0]) + 0.587 * float(p[1]) + 0.114 * float(p[2])) for p in x[f].flatten(1).T]
        mean = sum(grey) / len(grey)
        for c in range(3):
            for old, new in zip(x[f, c].flatten().tolist(), out[f, c].flatten().tolist(), strict=True):
                assert abs(min(255, max(0, mean + 1.7 * (old - mean))) - new) <= 0.5001


def test_an_unknown_operation_is_an_error():
    with pytest.raises(ValueError, match="no operation 'blur'; there are invert, identity"):
        operate(noise(), "blur", 1.0)


def record_operations(monkeypatch):
    done = []

    def recording(pixels, operation, strength):
        done.append((operation, strength))
        return pixels

    monkeypatch.setattr(rand_augment, "operate", recording)
    return done


def test_rand_augment_draws_all_operations_evenly_with_both_signs(monkeypatch):
    done = record_operations(monkeypatch)
    rng = np.random.default_rng(0)
    for _ in range(1500):
        RandAugment(layers=2, magnitude=15)(noise(), rng)
    assert len(done) == 3000
    counts = {name: sum(operation == name for operation, _ in done) for name in ALL}
    assert sum(counts.values()) == 3000
    assert all(150 < count < 285 for count in counts.values())  # 214 each
    assert {abs(strength) for _, strength in done} == {1.5}
    for name in ALL:
        signs = [strength > 0 for operation, strength in done if operation == name]
        assert 0.35 < np.mean(signs) < 0.65 if name in rand_augment.SIGNED else all(signs)


def test_rand_augment_scatters_skips_and_leaves_geometry_out(monkeypatch):
    done = record_operations(monkeypatch)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        RandAugment(layers=1, magnitude=9, magnitude_std=0.5, prob=0.5, geometric=False)(noise(), rng)
    assert 900 < len(done) < 1100
    assert {operation for operation, _ in done} == set(COLOUR_OPERATIONS)
    strengths = np.array([abs(strength) for _, strength in done])
    assert strengths.max() == 1.0  # timm's end
    assert abs(strengths.mean() - 0.9) < 0.01
    assert 0.04 < strengths.std() < 0.06


def test_the_policy_is_torchvisions_copy_of_the_papers_table():
    ours = [tuple((NAMES.get(n, n.title()), prob, level) for n, prob, level in pair) for pair in IMAGENET_POLICY]
    rows = [tuple((n, prob, level or 0) for n, prob, level in pair) for pair in v2.AutoAugment()._policies]
    assert ours == rows


def test_auto_augment_takes_pairs_with_their_probabilities_and_levels(monkeypatch):
    done = record_operations(monkeypatch)
    rng = np.random.default_rng(0)
    for _ in range(5000):
        auto_augment(noise(), rng)
    expected = sum(prob for pair in IMAGENET_POLICY for _, prob, _ in pair) / len(IMAGENET_POLICY)
    assert abs(len(done) / 5000 - expected) < 0.04
    levels = {name: {level / 9 for pair in IMAGENET_POLICY for n, _, level in pair if n == name} for name, _ in done}
    assert {name: {abs(s) for n, s in done if n == name} for name in levels} == levels
    assert {strength > 0 for name, strength in done if name == "rotate"} == {True, False}


@pytest.mark.parametrize("augment", [RandAugment(magnitude=9, magnitude_std=0.5), auto_augment])
def test_the_same_draw_is_bitwise_the_same(augment):
    outs = [augment(noise(), np.random.default_rng(seed)) for seed in range(12)]
    again = [augment(noise(), np.random.default_rng(seed)) for seed in range(12)]
    assert all(torch.equal(a, b) for a, b in zip(outs, again, strict=True))
    assert len({tuple(out.flatten().tolist()) for out in outs}) > 6
    still = noise(frames=1).expand(3, 3, 20, 24).contiguous()
    for seed in range(12):
        out = augment(still, np.random.default_rng(seed))
        assert torch.equal(out[0], out[2])


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"magnitude": -1}, {"magnitude_std": -0.1}, {"prob": 1.1}])
def test_values_out_of_range(wrong):
    with pytest.raises(ValueError, match="one layer at least"):
        RandAugment(**{"magnitude": 9, **wrong})


def test_operations_are_bitwise_the_same_with_any_number_of_threads():
    """A worker process of the loader has one thread, the training process may have many."""
    x, threads = noise(frames=1, height=512, width=520), torch.get_num_threads()
    outs = []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            outs.append([operate(x, operation, 0.7) for operation in ALL])
    finally:
        torch.set_num_threads(threads)
    for other in outs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outs[0], other, strict=True))
