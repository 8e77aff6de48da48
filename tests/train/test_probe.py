"""Linear probes: the optimum, the design, the choice, and that nothing leaks from what is left out."""

import pytest
import torch

from vidtok.data.divide import divide
from vidtok.train.probe import (
    NEARLY,
    PENALTIES,
    USUAL,
    Choice,
    Design,
    choose,
    figure_of,
    fit_logistic,
    fit_probe,
    held_out,
    one_hot,
    parts_of,
    row_weights,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(20, 7), (9, 30)])
def test_coordinates_keep_all_that_a_linear_layer_can_use(shape):
    x = noise(*shape) * torch.arange(1, shape[1] + 1) + 5
    design = Design.of(x)
    z = design.z
    standard = (x - x.mean(0)) / x.std(0, correction=0)
    factor = float((standard @ standard.T).trace() / (z @ z.T).trace())
    torch.testing.assert_close(z @ z.T * factor, standard @ standard.T)
    assert float(z.square().sum(1).mean()) == pytest.approx(1.0)
    assert z.shape[1] <= min(shape)


@pytest.mark.parametrize("rows", [9, 60])
def test_every_part_of_a_union_counts_the_same(rows):
    wide, narrow = noise(rows, 30) * 7 + 1, torch.cat([noise(rows, 2, seed=1), torch.ones(rows, 1).double()], dim=1)
    design = Design.of(wide, narrow)
    alone = [Design.of(part).z for part in (wide, narrow)]
    torch.testing.assert_close(design.z @ design.z.T, (alone[0] @ alone[0].T + alone[1] @ alone[1].T) / 2)


def test_a_union_is_fitted_and_said_part_by_part():
    labels = [(k % 2,) for k in range(24)]
    targets = one_hot(labels, 2)
    features = {"a": noise(24, 40), "b": noise(24, 3), "c": torch.cat([targets[:, :1], noise(24, 1)], dim=1)}
    folds = divide(labels, list(range(24)), folds=4)
    choice, layer = fit_probe(features, targets, [folds], among=("a", "b_c", "a_b"))
    assert choice.features == "b_c"
    logits = layer(torch.cat([features["b"], features["c"]], dim=1))
    assert figure_of(logits, targets, kind="softmax") == 1.0
    assert parts_of({"b_c": features["a"]}, "b_c")[0] is features["a"], "a name of its own is not taken apart"


def test_a_dimension_that_does_not_vary_is_no_trouble():
    x = torch.cat([noise(6, 2), torch.full((6, 1), 3.0, dtype=torch.float64)], dim=1)
    assert torch.isfinite(Design.of(x).z).all()


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_the_fit_is_the_optimum(kind, penalty):
    """The gradient of the stated objective, written anew, is zero there."""
    z, targets = noise(12, 4), one_hot([(k % 3,) for k in range(12)], 3)
    layer = fit_logistic(z, targets, penalty=penalty, kind=kind)
    weight, bias = layer.weight.clone().requires_grad_(), layer.bias.clone().requires_grad_()
    logits = z @ weight + bias
    if kind == "softmax":
        loss = -(targets * logits.log_softmax(1)).sum() / 12
    else:
        loss = -(targets * logits.sigmoid().log() + (1 - targets) * (1 - logits.sigmoid()).log()).mean()
    (loss + penalty / 2 * weight.square().sum()).backward()
    for gradient in (weight.grad, bias.grad):
        assert gradient is not None
        assert float(gradient.abs().max()) < 1e-5


def test_rows_count_by_class_among_those_taken():
    targets, taken = one_hot([(0,)] * 6 + [(1,)] * 3, 2), torch.ones(2, 9, dtype=torch.bool)
    taken[1, :3] = taken[1, -1] = False
    weights = row_weights(targets, taken, kind="softmax")
    torch.testing.assert_close(weights[0], torch.tensor([1 / 12] * 6 + [1 / 6] * 3, dtype=torch.float64))
    torch.testing.assert_close(weights[1], torch.tensor([0.0] * 3 + [1 / 6] * 3 + [1 / 4] * 2 + [0.0]).double())
    torch.testing.assert_close(row_weights(targets, taken, kind="sigmoid")[1], taken[1].double() / 5)


def test_the_choice_is_what_fits_fold_by_fold_say():
    z, labels = noise(18, 5), [(k % 3,) for k in range(18)]
    targets, divisions = one_hot(labels, 3), [divide(labels, list(range(18)), folds=3, seed=seed) for seed in (0, 1)]
    choice = choose({"x": z}, targets, divisions)
    figures, losses = [], []
    for folds in divisions:
        logits = torch.zeros_like(targets)
        for out in held_out(folds):
            logits[out] = fit_logistic(z[~out], targets[~out], penalty=choice.penalty)(z[out])
        figures.append(figure_of(logits, targets, kind="softmax"))
        losses.append(float(-(targets * logits.log_softmax(1)).sum(1).mean()))
    assert figures[0] != figures[1]
    assert choice.figure == pytest.approx(sum(figures) / 2)
    assert choice.loss == pytest.approx(sum(losses) / 2, rel=1e-3)


@pytest.mark.parametrize("shape", [(15, 40), (15, 6)])
def test_a_layer_for_features_as_they_are_says_the_same(shape):
    x, targets = noise(*shape) * 3 + 1, one_hot([(k % 2,) for k in range(15)], 2)
    design = Design.of(x)
    layer = fit_logistic(design.z, targets, penalty=0.1)
    torch.testing.assert_close(design.layer(layer)(x), layer(design.z))


def test_features_that_tell_are_chosen_and_ties_go_to_the_smaller_loss_and_the_stronger_penalty():
    labels = [(k % 2,) for k in range(24)]
    targets = one_hot(labels, 2)
    telling = torch.cat([targets[:, :1] * 6, noise(24, 3)], dim=1)
    folds = divide(labels, list(range(24)), folds=4)
    choice = choose({"noise": Design.of(noise(24, 8)).z, "telling": Design.of(telling).z}, targets, [folds])
    assert (choice.features, choice.figure) == ("telling", 1.0)
    assert choice.penalty == PENALTIES[-1], "it has the widest margins, and nothing to pay for them"
    same = [Choice(features="x", penalty=penalty, figure=1.0, loss=0.5) for penalty in (0.1, 1.0, 0.01)]
    better = Choice(features="x", penalty=0.1, figure=1.0, loss=0.4)
    assert max(same, key=lambda each: each.worth).penalty == 1.0
    assert max([*same, better], key=lambda each: each.worth) is better


def test_random_labels_are_not_told():
    """Over five seeds the figure of what was left out lies within two standard errors of chance."""
    hits = []
    for seed in range(5):
        x = noise(40, 60, seed=seed)
        labels = [(int(k),) for k in torch.randperm(40, generator=torch.Generator().manual_seed(seed)) % 2]
        targets = one_hot(labels, 2)
        for out in held_out(divide(labels, list(range(40)), folds=4, seed=seed)):
            rows = (~out).nonzero().flatten().tolist()
            inner = divide([labels[row] for row in rows], rows, folds=3)
            _, layer = fit_probe({"x": x[~out], "y": x[~out].square()}, targets[~out], [inner])
            hits += (layer(x[out]).argmax(1) == targets[out].argmax(1)).tolist()
    assert abs(sum(hits) / 200 - 0.5) < 2 * (0.25 / 200) ** 0.5


def test_figures_are_accuracy_and_mean_average_precision():
    logits, targets = torch.tensor([[0.5, 1.0], [0.0, 1.5], [3.0, 0.0]]), one_hot([(0,), (1,), (1,)], 2).float()
    assert figure_of(logits, targets, kind="softmax") == pytest.approx(1 / 3)
    assert figure_of(logits, targets, kind="sigmoid") == pytest.approx((1 / 2 + (1 + 2 / 3) / 2) / 2)


def signs(right: int, seed: int) -> torch.Tensor:
    """One number that tells the class of so many of a hundred videos, and the other class of the rest."""
    labels = torch.arange(100) % 2 * 2.0 - 1
    wrong = torch.randperm(100, generator=torch.Generator().manual_seed(seed))[right:]
    return Design.of(labels.double().index_copy(0, wrong, -labels[wrong].double())[:, None]).z


@pytest.mark.parametrize(
    ("usual", "other", "taken"),
    [(80, 81, USUAL), (80, 83, "other"), (80, 79, USUAL), (60, 62, USUAL), (60, 63, "other"), (98, 99, "other")],
)
def test_where_folds_cannot_tell_the_usual_summary_is_taken(usual, other, taken):
    """Half a standard error of 81 right in a hundred is 0.0196, of 99 right 0.005."""
    share = max(usual, other) / 100
    assert (other - usual) / 100 < NEARLY * (share * (1 - share) / 100) ** 0.5 or taken == "other"
    targets, folds = one_hot([(i % 2,) for i in range(100)], 2), [i // 2 % 5 for i in range(100)]
    designs = {"other": signs(other, seed=1), USUAL: signs(usual, seed=2)}
    choice = choose(designs, targets, [folds])
    assert (choice.features, choice.figure) == (taken, pytest.approx((usual if taken == USUAL else other) / 100))
    assert choose({"other": designs["other"]}, targets, [folds]).features == "other"


def test_where_all_is_right_with_several_summaries_the_loss_tells():
    targets, folds = one_hot([(i % 2,) for i in range(20)], 2), [i // 2 % 5 for i in range(20)]
    labels = torch.arange(20) % 2 * 2.0 - 1
    clear, blurred = labels.double()[:, None], (labels + 0.3 * noise(20).float()).double()[:, None]
    found = choose({USUAL: Design.of(blurred).z, "clear": Design.of(clear).z}, targets, [folds])
    assert (found.features, found.figure) == ("clear", 1.0)
