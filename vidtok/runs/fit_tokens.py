"""Fit with a probe with attention: tokens in the place of summaries; folds, controls and report are the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.choices import ScoreKind, TokenProbeKind
from vidtok.infer.summarise import frame_orders, token_controls, token_name
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.models.encoder_plan import EncoderPlan
from vidtok.models.encoder_probe import EncoderProbe
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.feeding import Feeding
from vidtok.models.network import Network
from vidtok.models.options import plain
from vidtok.models.summary_network import SummaryNetwork
from vidtok.models.token_probes import TOKEN_PROBES, make_probe
from vidtok.nn.position import Grid
from vidtok.runs.progress import ShareProgress
from vidtok.train.attentive import Recipe, TokenFiles, fit_attentive
from vidtok.train.nested import Videos
from vidtok.train.token_nested import left_out_token_logits

RECIPE = Recipe(least_steps=300)
"""The same for every set."""
MANY = 50
"""Clips of each class from which on a probe with attention, or fine-tuning, may be better than a linear probe."""


@dataclass(frozen=True, kw_only=True)
class TokenFit:
    """A kind of probe, the tokens of all videos as they are and under controls, and what it takes to make one."""

    probe: TokenProbeKind
    ways: Mapping[str, TokenFiles]
    token_width: int
    grid: Grid
    classes: int

    def make(self) -> nn.Module:
        """A new probe."""
        return make_probe(self.probe, self.token_width, grid=self.grid, classes=self.classes)

    def left_out(
        self, videos: Videos, *, kind: ScoreKind, seed: int, share: int = 1
    ) -> dict[str, Float[Tensor, "n k"]]:
        """The logits of each video, and of it under controls, by a probe that has not seen its fold.

        With a share smaller than the whole (see `left_out_token_logits`) of the videos as they are alone.
        """
        ways = self.ways if share == 1 else {"plain": self.ways["plain"]}
        words = "training a probe without each fold" + (f", on 1/{share} of the clips" if share > 1 else "")
        with ShareProgress(words) as said:
            return left_out_token_logits(
                self.make, ways, videos, kind=kind, recipe=RECIPE, seed=seed, share=share, said=said
            )

    def model(
        self,
        weights: EncoderWeights,
        classes: Sequence[str],
        videos: Videos,
        *,
        frames: int,
        kind: ScoreKind,
        seed: int,
    ) -> Classifier:
        """The encoder with a probe that has learned from all videos."""
        targets, every = videos.targets, range(len(videos.labels))
        with ShareProgress("training the probe on all clips") as said:
            probe = fit_attentive(
                self.make, self.ways["plain"], targets, every, kind=kind, recipe=RECIPE, seed=seed, said=said
            )
        encoder = EncoderPlan(network=weights.network, options=weights.options)
        options = plain({"encoder": encoder, "probe": self.probe})
        plan = Architecture(network="encoder_probe", options=options, frames=frames, size=weights.size)
        network = plan.build(classes=len(classes))
        assert isinstance(network, EncoderProbe)
        network.encoder.body.load_state_dict(dict(weights.state))
        network.probe.load_state_dict(probe.state_dict())
        return around(network, weights, classes, plan=plan, kind=kind)


def around(
    network: Network, weights: EncoderWeights, classes: Sequence[str], *, plan: Architecture, kind: ScoreKind
) -> Classifier:
    """A network with this encoder behind its normalisation; it sees whole pictures of the whole video."""
    side = weights.size if isinstance(weights.size, int) else min(weights.size)
    feeding = Feeding(stride=1, sampling="segments", short_side=side, fit="pad", scores=kind)
    model = Classifier(network, mean=weights.mean, std=weights.std, classes=classes, architecture=plan, feeding=feeding)
    return model.eval()


def token_fit(
    probe: TokenProbeKind, files: Sequence[Mapping[str, Path]], network: SummaryNetwork, *, classes: int
) -> TokenFit:
    """From the files of each video's tokens, by `token_names`; with frames encoded apart, controls reorder them."""
    seen, (steps, rows, columns) = TOKEN_PROBES[probe], network.grid
    grid = (rows, columns) if seen.needs_grid else None
    ways = {}
    for control, order in frame_orders(steps).items():
        if control == "one":  # a linear probe tells what a frame alone is worth
            continue
        kept = control in token_controls(network)
        name = token_name(seen.reduction, control if kept else "plain")
        ways[control] = TokenFiles(
            [own[name] for own in files], grid=grid, order=None if kept else tuple(map(int, order))
        )
    return TokenFit(probe=probe, ways=ways, token_width=network.token_width, grid=network.grid, classes=classes)


def probe_note(probe: str, counted: Mapping[int, int], classes: Sequence[str]) -> str | None:
    """What is to be said of the choice of a probe; None: nothing."""
    rarest = min(counted, key=lambda k: counted[k])
    least, name = counted[rarest], classes[rarest]
    if probe != "linear" and least < MANY:
        return (
            f"note: {name} has {least} clips: below {MANY} of each class a probe with attention is usually worse than "
            "the linear one; compare the two"
        )
    if probe == "linear" and least >= MANY:
        return (
            f"note: every class has {least} clips or more: --probe attentive and --finetune may reach more. They take "
            "many times as long, so they are tried when asked for alone; the folds are the same, so figures compare"
        )
    return None
