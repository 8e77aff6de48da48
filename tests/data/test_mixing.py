"""Mixup and CutMix against plain loops and timm's formulas."""

import numpy as np
import pytest
import timm.data.mixup
import torch

from vidtok.data.mixing import Mixing, mixed_box


def batch(clips=4, classes=5, seed=0, size=(10, 14)):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (clips, 2, 3, *size), dtype=torch.uint8, generator=generator)
    return pixels, torch.rand(clips, classes, dtype=torch.float64, generator=generator)


def drawn(mixing, rng):
    """What a Mixing draws, by the same calls: None, or whether it cuts and its lam before any correction."""
    if rng.random() >= mixing.prob:
        return None
    cut = mixing.cutmix_alpha > 0 and (mixing.mixup_alpha == 0 or rng.random() < mixing.switch_prob)
    alpha = mixing.cutmix_alpha if cut else mixing.mixup_alpha
    return cut, rng.beta(alpha, alpha)


@pytest.mark.parametrize("clips", [1, 2, 5])
def test_mixup_is_its_formula(clips):
    mixing = Mixing(mixup_alpha=0.8)
    for seed in range(4):
        pixels, targets = batch(clips)
        out, mixed = mixing(pixels, targets, np.random.default_rng(seed))
        cut, lam = drawn(mixing, np.random.default_rng(seed))
        assert not cut
        assert out.dtype == torch.uint8
        for i in range(clips):
            j = clips - 1 - i
            exact = lam * pixels[i].double() + (1 - lam) * pixels[j].double()
            assert (out[i].double() - exact).abs().max() <= 0.5 + 1e-4
            assert torch.allclose(mixed[i], lam * targets[i] + (1 - lam) * targets[j], rtol=0, atol=1e-15)
        assert torch.equal(out, pixels) == (clips == 1)


@pytest.mark.parametrize("clips", [1, 2, 5])
def test_cutmix_pastes_one_box_in_all_frames_and_counts_its_area(clips):
    mixing = Mixing(cutmix_alpha=1.0)
    for seed in range(8):
        pixels, targets = batch(clips)
        out, mixed = mixing(pixels, targets, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        _, lam = drawn(mixing, rng)
        box = mixed_box(10, 14, lam=lam, centre=(int(rng.integers(10)), int(rng.integers(14))))
        kept = 0
        for y in range(10):
            for x in range(14):
                inside = box.top <= y < box.top + box.height and box.left <= x < box.left + box.width
                kept += not inside
                for i in range(clips):
                    source = pixels[clips - 1 - i] if inside else pixels[i]
                    assert torch.equal(out[i, ..., y, x], source[..., y, x])
        share = kept / 140
        assert torch.allclose(mixed, share * targets + (1 - share) * targets.flip(0), rtol=0, atol=1e-15)


def test_boxes_are_timms():
    compared = 0
    for seed in range(300):
        height, width = 17 + seed % 5, 40
        lam = np.random.default_rng(seed).beta(1.0, 1.0)
        np.random.seed(seed)
        top, bottom, left, right = timm.data.mixup.rand_bbox((3, height, width), lam)
        np.random.seed(seed)
        centre = int(np.random.randint(0, height)), int(np.random.randint(0, width))
        box = mixed_box(height, width, lam=lam, centre=centre)
        sides = [int(side * np.sqrt(1 - lam)) for side in (height, width)]
        if all(side % 2 == 0 for side in sides):  # older releases of timm make odd boxes a pixel smaller
            compared += 1
            assert (box.top, box.top + box.height, box.left, box.left + box.width) == (top, bottom, left, right)
    assert compared > 40


def test_mixup_is_timms():
    """Their lam, on an even batch of pictures, is ours on clips of one frame."""
    pixels, _ = batch(4)
    pictures, labels = pixels[:, 0].double(), torch.tensor([0, 3, 1, 4])
    np.random.seed(3)
    theirs = timm.data.mixup.Mixup(mixup_alpha=0.8, label_smoothing=0.1, num_classes=5)
    mixed, soft = theirs(pictures.clone(), labels)
    np.random.seed(3)
    np.random.rand()
    lam = np.random.beta(0.8, 0.8)

    class Given(np.random.Generator):
        def beta(self, a, b):
            return lam

    smooth = torch.full((4, 5), 0.1 / 5, dtype=torch.float64)
    smooth[torch.arange(4), labels] += 0.9
    out, targets = Mixing(mixup_alpha=0.8)(pixels[:, :1], smooth, Given(np.random.PCG64(0)))
    assert (out[:, 0].double() - mixed).abs().max() <= 0.5 + 1e-4
    assert torch.allclose(targets, soft.double(), atol=1e-6)


def test_several_labels_and_float32_targets():
    pixels, _ = batch(3)
    hot = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    _, mixed = Mixing(mixup_alpha=1.0)(pixels, hot, np.random.default_rng(0))
    _, lam = drawn(Mixing(mixup_alpha=1.0), np.random.default_rng(0))
    assert mixed.dtype == torch.float32
    assert torch.allclose(mixed[0], torch.tensor([lam, 1.0, 0.0], dtype=torch.float32))
    assert torch.equal(mixed[1], hot[1])


def test_an_empty_batch_stays_empty():
    pixels, targets = batch(0)
    for mixing in (Mixing(mixup_alpha=1.0), Mixing(cutmix_alpha=1.0)):
        out, mixed = mixing(pixels, targets, np.random.default_rng(0))
        assert out.shape == pixels.shape
        assert mixed.shape == targets.shape


def test_kinds_and_shares_are_drawn_as_told():
    mixing = Mixing(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.6, switch_prob=0.25)
    rng = np.random.default_rng(0)
    pixels = torch.zeros(2, 1, 3, 16, 16, dtype=torch.uint8)
    pixels[1] = 200
    targets = torch.eye(2, dtype=torch.float64)
    nothing, cut, blended = 0, 0, []
    for _ in range(2000):
        out, mixed = mixing(pixels, targets, rng)
        partner = float(mixed[0, 1])
        assert torch.allclose(mixed.sum(1), torch.ones(2, dtype=torch.float64))
        assert abs(float(out[0].double().mean()) / 200 - partner) < 0.003
        if out is pixels:
            nothing += 1
        elif float(256 * partner).is_integer():  # whole pixels
            cut += 1
        else:
            blended.append(partner)
    assert abs(nothing / 2000 - 0.4) < 0.03
    assert abs(cut / 2000 - 0.6 * 0.25) < 0.03
    assert abs(np.mean(blended) - 0.5) < 0.04
    assert abs(np.var(blended) - 0.25 / 2.6) < 0.01  # Beta(0.8, 0.8)


def test_the_same_draw_is_bitwise_the_same():
    mixing = Mixing(mixup_alpha=0.8, cutmix_alpha=1.0)
    pixels, targets = batch()
    before = pixels.clone()
    outs = [mixing(pixels, targets, np.random.default_rng(seed)) for seed in range(6)]
    again = [mixing(pixels, targets, np.random.default_rng(seed)) for seed in range(6)]
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(outs, again, strict=True))
    assert any(not torch.equal(outs[0][0], out) for out, _ in outs[1:])
    assert torch.equal(pixels, before), "the input was changed in place"


@pytest.mark.parametrize(("prob", "switch_prob"), [(0, 0), (1, 0), (1, 1), (0, 1)])
def test_never_and_always_are_probabilities_too(prob, switch_prob):
    mixing = Mixing(mixup_alpha=0.8, cutmix_alpha=1.0, prob=prob, switch_prob=switch_prob)
    pixels, targets = torch.zeros(2, 1, 3, 16, 16, dtype=torch.uint8), torch.eye(2, dtype=torch.float64)
    pixels[1] = 255
    for seed in range(20):
        out, _ = mixing(pixels, targets, np.random.default_rng(seed))
        if not prob:
            assert out is pixels
        else:
            assert (set(out.unique().tolist()) <= {0, 255}) == bool(switch_prob)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "one at least is on"),
        ({"mixup_alpha": -1.0}, "0 \\(off\\) or more"),
        ({"mixup_alpha": 1.0, "prob": 1.5}, "probabilities from 0 to 1"),
        ({"mixup_alpha": 1.0, "prob": -0.5}, "probabilities from 0 to 1"),
        ({"mixup_alpha": 1.0, "switch_prob": 1.5}, "probabilities from 0 to 1"),
        ({"cutmix_alpha": 1.0, "switch_prob": -0.5}, "probabilities from 0 to 1"),
        ({"mixup_alpha": 1.0, "cutmix_alpha": -1.0}, "0 \\(off\\) or more"),
    ],
)
def test_wrong_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        Mixing(**wrong)
