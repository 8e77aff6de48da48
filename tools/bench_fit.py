"""What may be left of a frozen encoder's tokens: accuracy against bytes per clip and the probe's time.

    VIDTOK_VIDEOS=… python tools/bench_fit.py --work work/fit motion weizmann4 fight2

Each clip is encoded once; its tokens in every form and its summaries stand in WORK/features, each row's figures in
--json (the table goes into the .md beside it): a second call goes on where the first one stopped. Sets are
`motion` (made where it is missing: 600 clips to train on, 200 to test), the folders of VIDTOK_VIDEOS, and any folder
with a sub-folder per class, NAME=FOLDER. --rows PATTERN measures only the rows of these names; what no row is measured
on is not kept either: all tokens of 300 clips are 600 MB. All but `motion` are measured by folds that keep groups
together. Linear rows choose their penalty on inner folds; rows with attention have fixed settings, and nothing is tuned
for any of them.
With --divisions N what `vidtok fit` does, summary and penalty chosen on inner folds, is measured over N seeded
divisions into five folds, beside the pooled summary alone on the same ones: mean and standard deviation. Where a list
has folds of its own, it is measured over these besides, with one standard error.
"""

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

import torch
from torch import Tensor

from vidtok.data.csv_list import read_column
from vidtok.data.divide import divide
from vidtok.data.groups import join_copies
from vidtok.data.lists import open_list
from vidtok.data.motion import render_motion
from vidtok.infer.predict import model_views
from vidtok.infer.summarise import read_tokens, summarise_videos
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.encoders import find_encoder
from vidtok.models.summary_network import SummaryNetwork
from vidtok.nn.attentive_probe import FrameOrderProbe
from vidtok.nn.reduce_tokens import Reduction
from vidtok.nn.token_probe import BUDGETS, TokenLearnerProbe
from vidtok.runs.fit_model import SUMMARIES, encoder_model
from vidtok.runs.fit_set import stacked
from vidtok.train.attentive import Recipe, TokenFiles, attentive_logits, fit_attentive
from vidtok.train.nested import Videos, left_out_logits, standard_error
from vidtok.train.probe import figure_of, fit_probe, parts_of
from vidtok.types import Failure

ROOT = Path(__file__).resolve().parents[1]
MARKERS = ("<!-- reduction:start -->", "<!-- reduction:end -->")
FULL, MEAN = Reduction(form="full"), Reduction(form="mean")
FORMS = (FULL, MEAN, Reduction(form="cells", side=2), Reduction(form="super_tokens", side=2))
FRAMES = 16
MOTION_FRAMES = 12
"""All that its clips have."""
WIDTH = 128
"""Of the probes with attention; a linear layer brings the encoder's tokens to it."""
Figures = dict[str, float | int | str | None]


@dataclass(frozen=True, kw_only=True)
class Set:
    """One set of clips, encoded: its videos, what is left out together, and what is kept of each clip."""

    name: str
    videos: Videos
    parts: Sequence[tuple[list[int], list[int]]]
    """Rows to train on and to test on."""
    vectors: Sequence[Mapping[str, Tensor]]
    tokens: Mapping[str, Sequence[Path]]
    frames: int
    grid: tuple[int, int]
    paired: bool
    """Whether labels 2i and 2i + 1 are each other's reversal."""
    given: Sequence[int] | None
    """The folds that the list itself has, where it has a column of them."""


def encoded(
    name: str,
    *,
    weights: EncoderWeights,
    work: Path,
    folds: int,
    motion: tuple[int, int],
    forms: Sequence[Reduction],
) -> Set:
    """Encode what is not yet in the cache. A set with videos that cannot be decoded is refused."""
    name, _, folder = name.partition("=")
    frames, lists, group = FRAMES, [folder], None
    if name == "motion" and not folder:
        frames, home = MOTION_FRAMES, work / f"motion_{motion[0]}_{motion[1]}"
        if not (home / "val.csv").is_file():
            render_motion(home, clips_train=motion[0], clips_val=motion[1])
        lists = [home / "train.csv", home / "val.csv"]
    elif not folder:
        home = Path(os.environ["VIDTOK_VIDEOS"]) / name
        lists, group = [home / "labels.csv"], "subject" if name == "weizmann4" else None
    classes = (home / "classes.txt").read_text(encoding="utf-8").split() if not folder else None
    labels: list[tuple[int, ...]] = []
    groups: list[Hashable] = []
    sizes: list[int] = []
    vectors: list[Mapping[str, Tensor]] = []
    tokens: dict[str, list[Path]] = {form.name: [] for form in forms}
    for source in lists:
        records, told = open_list(source, root=None, classes=classes, format="auto", part="train")
        assert told is not None
        classes = list(told)
        model = encoder_model(weights, told, summary="mean", frames=frames, kind="softmax")
        found, began = {}, time.monotonic()
        for each in summarise_videos(
            model, records, views=model_views(model), folder=work / "features", reductions=forms
        ):
            if isinstance(each, Failure):
                raise SystemExit(each.cause)
            found[each.index] = each
            if len(found) % 50 == 0:
                print(f"{name}: {len(found)} of {len(records)}, {time.monotonic() - began:.0f} s", flush=True)
        column = read_column(records.source, group) if group else [f"{source}:{row}" for row in range(len(records))]
        for row in range(len(records)):
            labels.append(records[row].labels)
            groups.append(column[row])
            vectors.append(found[row].vectors)
            for form, files in tokens.items():
                files.append(found[row].tokens[form])
        sizes.append(len(records))
    rows = range(len(labels))
    if len(sizes) == 2:
        division = tuple(int(row >= sizes[0]) for row in rows)
        parts = [(list(rows[: sizes[0]]), list(rows[sizes[0] :]))]
    else:
        groups = list(join_copies(groups, labels, torch.stack([each["thumbnails"] for each in vectors])).groups)
        division = divide(labels, groups, folds=folds)
        parts = [([r for r in rows if division[r] != k], [r for r in rows if division[r] == k]) for k in range(folds)]
    network = model.network
    assert isinstance(network, SummaryNetwork)
    if not network.frames_apart:  # the tokens of a reversed clip are then not the tokens backwards
        raise SystemExit(f"{weights.name}: sees frames together; take an encoder that sees each by itself")
    return Set(
        name=name,
        videos=Videos(labels=labels, groups=groups, folds=division, classes=len(classes or ())),
        parts=parts,
        vectors=vectors,
        tokens=tokens,
        frames=frames,
        grid=network.grid[1:],
        paired=len(sizes) == 2,
        given=given_folds(lists[0]) if not folder and len(sizes) == 1 else None,
    )


def given_folds(source: str | Path) -> list[int] | None:
    """The folds of a list's column `fold`, numbered, or None where it has no such column."""
    with open(source, encoding="utf-8", newline="") as file:
        named = [row.get("fold") for row in csv.DictReader(file)]
    if None in named:
        return None
    order = sorted(map(str, set(named)))
    return [order.index(str(name)) for name in named]


def figures(own: Set, plain: Tensor, backwards: Tensor) -> Figures:
    """Accuracy on what was left out, forwards and backwards, and how often backwards is the opposite class."""
    rows = torch.tensor([row for _, test in own.parts for row in test])
    labels = torch.tensor([each[0] for each in own.videos.labels])[rows]
    told, turned = plain.argmax(1), backwards.argmax(1)
    share = lambda hits: float(hits.double().mean())  # noqa: E731
    opposite = share(turned == (labels ^ 1)) if own.paired else None
    return {"top1": share(told == labels), "reversed": share(turned == labels), "opposite": opposite}


def side_by_side(own: Set, *, backwards: bool) -> Tensor:
    """Every frame's mean, one behind the other."""
    files = own.tokens[MEAN.name]
    frames = torch.stack([read_tokens(file)[:, 0] for file in files]).double()
    return (frames.flip(1) if backwards else frames).flatten(1)


def linear(own: Set, summary: str) -> list[Figures]:
    """Logistic regression on one summary."""
    if summary == "frames":
        x, turned = ({summary: side_by_side(own, backwards=way)} for way in (False, True))
    else:
        x, turned = (stacked(own.vectors, way) for way in ("plain", "reversed"))
    began, targets, logits = time.monotonic(), own.videos.targets, []
    for train, test in own.parts:
        kept = {name: every[train] for name, every in x.items()}
        _, layer = fit_probe(kept, targets[train], own.videos.choosing(train, seed=0), among=(summary,))
        ways = (torch.cat(parts_of(way, summary), dim=1) for way in (x, turned))
        logits.append(tuple(layer(every[test]) for every in ways))
    seconds = time.monotonic() - began
    plain, backwards = (torch.cat(each) for each in zip(*logits, strict=True))
    size = sum(part.shape[1] for part in parts_of(x, summary)) * (2 if summary == "frames" else 4)
    return [{"kept": summary, "probe": "linear", "bytes": size, "seconds": seconds, **figures(own, plain, backwards)}]


def divided(own: Set, divisions: int) -> list[Figures]:
    """What `fit` chooses, and the summary `time` alone, over seeded divisions into five folds that keep groups."""
    if own.paired:  # of `motion` the test clips are given
        return []
    features = stacked(own.vectors, "plain")
    rows = []
    for kept, among in (("what fit chooses", SUMMARIES), ("time", ("time",))):
        began, found = time.monotonic(), []
        for seed in range(divisions):
            folds = divide(own.videos.labels, own.videos.groups, folds=5, seed=seed)
            videos = replace(own.videos, folds=folds)
            logits = left_out_logits({"plain": features}, videos, kind="softmax", among=among, seed=seed)["plain"]
            found.append(figure_of(logits, videos.targets, kind="softmax"))
        size = 4 * sum(features[part].shape[1] for part in {part for name in among for part in name.split("_")})
        told: Figures = {"top1": statistics.mean(found), "spread": statistics.stdev(found), "opposite": None}
        probe = f"linear, {divisions} divisions"
        rows.append({"kept": kept, "probe": probe, "bytes": size, "seconds": time.monotonic() - began, **told})
    return rows


def by_given_folds(own: Set) -> list[Figures]:
    """What `fit` chooses over the folds that the list has; after ± stands one standard error."""
    if own.given is None:
        return []
    features, began = stacked(own.vectors, "plain"), time.monotonic()
    videos = replace(own.videos, folds=own.given)
    logits = left_out_logits({"plain": features}, videos, kind="softmax", among=SUMMARIES)["plain"]
    hits = (logits.argmax(dim=1) == videos.targets.argmax(dim=1)).tolist()
    told: Figures = {"top1": sum(hits) / len(hits), "spread": standard_error(hits, videos.groups), "opposite": None}
    size, seconds = 4 * sum(part.shape[1] for part in features.values()), time.monotonic() - began
    return [
        {"kept": "what fit chooses", "probe": "linear, the list's folds", "bytes": size, "seconds": seconds, **told}
    ]


def attentive(own: Set, form: Reduction, recipe: Recipe) -> list[Figures]:
    """A class token that looks at the tokens of all frames."""
    first = read_tokens(own.tokens[form.name][0])
    make = partial(FrameOrderProbe, first.shape[-1], classes=own.videos.classes, frames=own.frames, width=WIDTH)
    told = trained(own, form, make, recipe, grid=None, budgets=(), measured=(None,))
    size = first.numel() * first.element_size()
    return [{"kept": form.name, "probe": "positions and class token", "bytes": size, **told[None]}]


def learned(own: Set, budgets: Sequence[int], recipe: Recipe) -> list[Figures]:
    """TokenLearner on all tokens; with several budgets one probe, trained with nested dropout, is measured at each."""
    first = read_tokens(own.tokens[FULL.name][0])
    make = partial(
        TokenLearnerProbe,
        first.shape[-1],
        classes=own.videos.classes,
        frames=own.frames,
        tokens=max(budgets),
        width=WIDTH,
    )
    nested = tuple(budgets) if len(budgets) > 1 else ()
    told = trained(own, FULL, make, recipe, grid=own.grid, budgets=nested, measured=nested or (None,))
    size = first.numel() * first.element_size()
    probe = "TokenLearner, nested" if nested else "TokenLearner"
    return [
        {"kept": "full", "probe": f"{probe}, {budget or budgets[0]} tokens", "bytes": size, **each}
        for budget, each in told.items()
    ]


def trained(
    own: Set,
    form: Reduction,
    make: "partial[torch.nn.Module]",
    recipe: Recipe,
    *,
    grid: tuple[int, int] | None,
    budgets: Sequence[int],
    measured: Sequence[int | None],
) -> dict[int | None, Figures]:
    """Figures for each budget that is measured, from probes that were trained without what is left out."""
    orders = (None, tuple(reversed(range(own.frames))))
    ways = [TokenFiles(own.tokens[form.name], grid=grid, order=order) for order in orders]
    seconds, logits = 0.0, {budget: ([], []) for budget in measured}
    for train, test in own.parts:
        began = time.monotonic()
        probe = fit_attentive(make, ways[0], own.videos.targets, train, recipe=recipe, budgets=budgets)
        seconds += time.monotonic() - began
        for budget, found in logits.items():
            for each, way in zip(found, ways, strict=True):
                each.append(attentive_logits(probe, way, test, budget=budget))
    return {
        budget: {"seconds": seconds, **figures(own, torch.cat(plain), torch.cat(backwards))}
        for budget, (plain, backwards) in logits.items()
    }


@dataclass(frozen=True)
class Row:
    """A row, and what it needs of the tokens; None: the summaries alone."""

    measure: Callable[[Set], list[Figures]]
    form: Reduction | None = None


def known_rows(recipe: Recipe, divisions: int | None) -> dict[str, Row]:
    """All rows, in the order in which they are measured. A row that says nothing of a set is empty for it."""
    rows = {f"linear {each}": Row(partial(linear, summary=each)) for each in SUMMARIES}
    rows = {"linear frames": Row(partial(linear, summary="frames"), MEAN), **rows}
    if divisions:
        rows[f"divisions {divisions}"] = Row(partial(divided, divisions=divisions))
    rows["given folds"] = Row(by_given_folds)
    rows |= {f"attentive {form.name}": Row(partial(attentive, form=form, recipe=recipe), form) for form in FORMS}
    rows |= {f"learned {n}": Row(partial(learned, budgets=(n,), recipe=recipe), FULL) for n in BUDGETS}
    return {**rows, "nested": Row(partial(learned, budgets=BUDGETS, recipe=recipe), FULL)}


def table(results: Sequence[Figures]) -> str:
    """A line for what is kept and each probe on it; a column for each set, with the probe's seconds in brackets."""
    sets = list(dict.fromkeys(str(each["set"]) for each in results))
    lines = ["| kept | probe | bytes a clip | " + " | ".join(sets) + " |", "|---|---|---|" + "---|" * len(sets)]
    for kept, probe in dict.fromkeys((each["kept"], each["probe"]) for each in results):
        own = {each["set"]: each for each in results if (each["kept"], each["probe"]) == (kept, probe)}
        cells = [cell(own[name]) if name in own else "" for name in sets]
        size = max(int(each["bytes"] or 0) for each in own.values())
        lines.append(f"| {kept} | {probe} | {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(each: Figures) -> str:
    turned = "" if each["opposite"] is None else f", backwards the opposite {each['opposite']:.3f}"
    spread = "" if each.get("spread") is None else f" ± {each['spread']:.3f}"
    return f"{each['top1']:.3f}{spread}{turned} ({each['seconds']:.0f} s)"


def write_page(page: Path, text: str) -> None:
    """Put the table between the page's markers; without a page it stands alone."""
    told = page.read_text(encoding="utf-8") if page.is_file() else "\n".join([*MARKERS, ""])
    before, rest = told.split(MARKERS[0])
    page.write_text(f"{before}{MARKERS[0]}\n{text}\n{MARKERS[1]}{rest.split(MARKERS[1])[1]}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET", help="motion, a folder of VIDTOK_VIDEOS, or NAME=FOLDER")
    parser.add_argument("--work", type=Path, required=True, help="folder for features and the motion set")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "reduction.json", help="default: %(default)s")
    parser.add_argument("--encoder", metavar="NAME[=FILE]", help="as in `vidtok fit`")
    parser.add_argument("--folds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=20, help="of the probes with attention (default: %(default)s)")
    parser.add_argument("--motion", type=int, nargs=2, default=(600, 200), metavar="N", help="clips to train and test")
    parser.add_argument(
        "--rows",
        nargs="+",
        default=["*"],
        metavar="PATTERN",
        help="names of rows, as in 'linear *': those with attention (attentive, learned, nested) take long",
    )
    parser.add_argument("--divisions", type=int, metavar="N", help="measure what `fit` does over N divisions besides")
    args = parser.parse_args(arguments)
    if args.divisions is not None and args.divisions < 2:
        parser.error("--divisions counts from 2, for a spread")
    weights, recipe = find_encoder(args.encoder), Recipe(epochs=args.epochs)
    results: list[Figures] = json.loads(args.json.read_text(encoding="utf-8")) if args.json.is_file() else []
    for name in args.sets:
        measured = {each["row"] for each in results if each["set"] == name.partition("=")[0]}
        rows = {
            row: each
            for row, each in known_rows(recipe, args.divisions).items()
            if row not in measured and any(fnmatchcase(row, pattern) for pattern in args.rows)
        }
        if not rows:
            continue
        forms = [form for form in FORMS if any(form == each.form for each in rows.values())]
        own = encoded(name, weights=weights, work=args.work, folds=args.folds, motion=tuple(args.motion), forms=forms)
        for row, each in rows.items():
            found = [{"set": own.name, "row": row, **figures} for figures in each.measure(own)]
            results += found
            args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            write_page(args.json.with_suffix(".md"), table(results))
            for each in found:
                print(f"{own.name} | {each['kept']} | {each['probe']} | {cell(each)}", flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
