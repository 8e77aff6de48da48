"""Whether maps follow what moves: small networks learn where one object goes; their maps are held to its track.

    python tools/bench_tracks.py                      # all rows
    python tools/bench_tracks.py "TokenLearner, first"

A disc of one texture moves right, left, down or up over a still background of another, from anywhere; the class is the
direction. After training, each map's centre of mass in each time step is compared with the object's true centre there,
over 64 clips that were not trained on: Pearson's correlation of the two, rows and columns together.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, installed or not

from vidtok.infer.pictures import Scene, ask_kinds
from vidtok.models.network import Network
from vidtok.models.vivit import ViViT
from vidtok.nn.looks import at_rest
from vidtok.nn.token_learner import TokenLearnerOptions

FRAMES, SIDE, STEPS_OF_TIME = 8, 64, 4
RADIUS = 9.0
SPEEDS = (1.8, 4.0)
"""Pixels a frame."""
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
SIZES = {"classes": 4, "frames": FRAMES, "size": SIDE, "tubelet": (2, 8, 8), "width": 96, "depth": 4, "heads": 4}
SIZES["position"] = "sincos_3d"
STEPS = 1000
ROWS = {
    "TokenLearner, first": (
        {"token_learner": TokenLearnerOptions(after_block=0, tokens=4)},
        ("tokens", "gradient"),
        1800,
    ),
    "TokenLearner, behind a block": (
        {"token_learner": TokenLearnerOptions(after_block=1, tokens=4)},
        ("tokens", "gradient"),
        STEPS,
    ),
    "attention": ({}, ("attention", "rollout", "gradient"), STEPS),
    "attention, class token": ({"pool": "cls"}, ("query", "rollout", "gradient"), STEPS),
    "super_token": (
        {"mixer": {"name": "super_token", "cells": (2, 2, 2)}},
        ("attention", "rollout", "gradient"),
        STEPS,
    ),
    "multi_axis": (
        {"mixer": {"name": "multi_axis", "window": (2, 4, 4)}},
        ("attention", "rollout", "gradient"),
        STEPS,
    ),
    "conv_additive": ({"mixer": {"name": "conv_additive"}}, ("context", "gradient"), STEPS),
    "separable": ({"mixer": {"name": "separable"}}, ("context", "gradient"), STEPS),
}
"""A network's options beside SIZES, the kinds of pictures that are measured, and steps that are enough to learn it."""


def texture(rng: np.random.Generator) -> torch.Tensor:
    """Smooth noise in three colours, about -1 to 1, c y x."""
    coarse = torch.from_numpy(rng.standard_normal((1, 3, SIDE // 4, SIDE // 4)).astype(np.float32))
    return F.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")[0]


def clips(count: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalised clips b f c y x, classes, and the object's centre (row, column) in each frame, b f 2."""
    rng = np.random.default_rng(seed)
    places = torch.arange(SIDE, dtype=torch.float32)
    found, tracks, labels = [], [], rng.integers(0, 4, count)
    for label in labels:
        speed = rng.uniform(*SPEEDS)
        move = torch.tensor(DIRECTIONS[label]) * speed
        reach = (FRAMES - 1) / 2 * move.abs()
        low, high = RADIUS + reach.numpy(), SIDE - RADIUS - reach.numpy()
        middle = torch.from_numpy(rng.uniform(low, high).astype(np.float32))
        track = middle + (torch.arange(FRAMES)[:, None] - (FRAMES - 1) / 2) * move
        distance = (places[None, :, None] - track[:, :1, None]) ** 2 + (places[None, None] - track[:, 1:, None]) ** 2
        cover = (RADIUS + 0.5 - distance.sqrt()).clamp(0, 1)[:, None]
        ground, thing = 0.5 * texture(rng), 0.5 * texture(rng) + torch.from_numpy(rng.choice((-1, 1), (3, 1, 1)))
        picture = ground * (1 - cover) + thing * cover
        found.append(picture + 0.05 * torch.from_numpy(rng.standard_normal(picture.shape).astype(np.float32)))
        tracks.append(track)
    return torch.stack(found).float(), torch.from_numpy(labels), torch.stack(tracks).float()


def trained(options: dict, *, steps: int, seed: int = 0) -> tuple[Network, float]:
    """A network after so many steps of 16 new clips each, and its accuracy on clips that it has not seen."""
    torch.manual_seed(seed)
    network = ViViT(**{**SIZES, **options})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        x, labels, _ = clips(16, seed=1000 + step)
        loss = F.cross_entropy(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    x, labels, _ = clips(128, seed=1)
    network.eval()
    with torch.no_grad():
        return network, float((network(x).argmax(-1) == labels).float().mean())


def centres(maps: torch.Tensor) -> torch.Tensor:
    """The centre of mass of each time step's map, t 2, in pixels; of an empty one the middle."""
    _, h, w = maps.shape
    weights = maps.double().clamp(min=0) + 1e-12
    weights = weights / weights.sum((-1, -2), keepdim=True)
    rows, columns = ((torch.arange(n, dtype=torch.float64) + 0.5) * SIDE / n for n in (h, w))
    return torch.stack([(weights.sum(-1) * rows).sum(-1), (weights.sum(-2) * columns).sum(-1)], dim=-1)


def followed(network: Network, kinds: tuple[str, ...], *, count: int = 64) -> dict[str, float]:
    """The correlation of each panel's centre with the track; of several tokens their mean map, and the best of them."""
    x, labels, tracks = clips(count, seed=2)
    truth = rearrange(tracks, "b (t two) place -> b t two place", t=STEPS_OF_TIME).mean(2).double()
    panels: dict[str, list[torch.Tensor]] = {}
    for clip, label in zip(x, labels, strict=True):
        with at_rest(network):
            scene = Scene(network=network, clip=clip[None], label=int(label), label_name="its class")
            for kind, shown in ask_kinds(scene, kinds).items():
                maps = [each.maps for each in shown if each.maps is not None]
                if kind == "tokens":
                    for number, each in enumerate(maps):
                        panels.setdefault(f"token {number + 1}", []).append(centres(each))
                panels.setdefault(kind, []).append(centres(torch.stack(maps).mean(0)))
    return {name: correlation(torch.stack(found), truth) for name, found in panels.items()}


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Pearson's, over clips and time steps, of rows and columns each less their own mean."""
    a, b = ((each - each.mean((0, 1))).flatten() for each in (one, other))
    return float((a * b).sum() / (a.norm() * b.norm() + 1e-12))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help=f"some of: {', '.join(ROWS)}; default: all")
    parser.add_argument("--steps", type=int, help="default: each row's own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same figures")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.rows) - ROWS.keys():
        parser.error(f"no row is called {sorted(unknown)[0]!r}; there are {', '.join(ROWS)}")
    results = []
    print("| network | accuracy | correlation of its maps' centres with the track | s |\n|---|---|---|---|")
    for name in asked.rows or ROWS:
        options, kinds, steps = ROWS[name]
        begun = time.process_time()
        network, accuracy = trained(options, steps=asked.steps or steps)
        found = followed(network, kinds)
        seconds = time.process_time() - begun
        told = ", ".join(f"{kind} {value:.2f}" for kind, value in found.items())
        print(f"| {name} | {accuracy:.2f} | {told} | {seconds:.0f} |", flush=True)
        results.append({"row": name, "accuracy": accuracy, "correlation": found, "cpu_seconds": seconds})
        if asked.json:
            asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
