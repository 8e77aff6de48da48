"""Networks against what one would take instead, on the same work with the same weights: time, memory, equal outputs.

    python tools/bench_models.py --only casvit_xs
    python tools/bench_models.py --only maxvit_t --forms peer form --threads 2 --repeats 9 --json maxvit.json
    python tools/bench_models.py --only vivit_b --bf16
    python tools/bench_models.py --only stvit_s --backward

    vivit_b      ViViT-B/16x2 on 32 frames of 224 x 224, class token    transformers' VivitForVideoClassification
    vivit_b_tl8  the same, mean over tokens, 8 tokens after block 3     our own plain ViViT-B, whose numbers are others
    maxvit_t, _s MaxViT-T and S on pictures of 224 x 224                timm's maxvit_*_tf_224
    stvit_s      STViT-S on pictures                                    the paper's unfold and fold, models_peers.py
    casvit_xs    CAS-ViT-XS on pictures                                 the paper's plain convolutions, models_peers.py

Each row of the table is one way to compute the same: `peer` as it comes (channels first), `peer_last` in channels-last
order, `peer_parts` in the order and the parts of a batch in which it is quickest here, `eager` our network, `form` its
form for inference, `form_plain` the form of public operations only, `compiled` our network through torch.compile
(minutes; with --forms only), `products` the products, convolutions and attentions of `eager` alone, on random numbers.
They take turns, so that what else the machine does falls on all of them; a ratio is the median over turns: `times
first` of the first row over this one, `of products` of `products` over this one. `of matrix rate` is the share of the
machine's rate of matrix products (float32, 2048 x 2048, in the same run) that the network's multiply-adds are done at.
Memory is what the process needs at most in a pass beyond what it held before, on Linux; the allocator is PyTorch's own.
"""

import argparse
import copy
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from models_peers import PlainCASViT, PlainSTViT, take_in_order
from models_products import products_of
from torch import Tensor, nn

from vidtok.models.architecture import Architecture
from vidtok.models.cost import count_cost
from vidtok.models.network import Network
from vidtok.models.options import plain
from vidtok.models.presets import find_preset
from vidtok.models.weights.maxvit_timm import load_maxvit_timm
from vidtok.models.weights.transformers_vivit import load_transformers_vivit

FORMS = ("peer", "peer_last", "peer_parts", "eager", "form_plain", "form", "products")
COLUMNS = (
    *("network", "form", "ms", "clips/s", "times first", "lowest to highest", "of products", "of matrix rate"),
    *("MiB", "difference"),
)
SAME = 1e-3
"""Largest difference of logits, as a share of the largest, that counts as equal in float32."""


# -- what is compared -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pair:
    network: Network
    peer: nn.Module
    peer_takes: Callable[[Tensor], Tensor]
    """From our clip `b f c y x`."""
    batch: int
    same: bool = True
    """The peer computes the same numbers."""


def picture(clip: Tensor) -> Tensor:
    return clip[:, 0].contiguous()


def ours(name: str, **options: Any) -> Network:
    preset = find_preset(name)
    frames = options.pop("frames", preset.frames)
    plan = Architecture(
        network=preset.network, options=plain({**preset.options, **options}), frames=frames, size=preset.size
    )
    torch.manual_seed(0)
    return stir(plan.build(classes=1000))


def stir(network: Network) -> Network:
    """Nothing at zero or at one, where much would have no effect."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            elif tensor.dim() < 2 and tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.1)
            elif not tensor.any():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.02)
    return network.eval()


def vivit_b() -> Pair:
    from transformers import VivitConfig, VivitForVideoClassification

    torch.manual_seed(0)
    peer = VivitForVideoClassification(VivitConfig(num_labels=1000)).eval()
    network = ours("vivit_b16x2", pool="cls", frames=32)
    load_transformers_vivit(network, peer.state_dict())
    return Pair(network=network, peer=Logits(peer), peer_takes=lambda clip: clip, batch=1)


class Logits(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, clips: Tensor) -> Tensor:
        return self.model(pixel_values=clips).logits


def vivit_b_tl8() -> Pair:
    learner = {"after_block": 3, "tokens": 8}
    network = ours("vivit_b16x2", frames=32, pool="mean", token_learner=learner)
    plain_one = ours("vivit_b16x2", frames=32, pool="mean")
    return Pair(network=network, peer=plain_one, peer_takes=lambda clip: clip, batch=1, same=False)


def maxvit(size: str) -> Pair:
    import timm

    torch.manual_seed(0)
    peer: nn.Module = timm.create_model(f"maxvit_{size}_tf_224").eval()
    network = ours(f"maxvit_{size}_tf_224", frames=1)
    take: Any = network
    load_maxvit_timm(take, peer.state_dict())
    return Pair(network=network, peer=peer, peer_takes=picture, batch=8)


def stvit_s() -> Pair:
    network: Any = ours("stvit_small", frames=1)
    options = find_preset("stvit_small").options
    sizes = {key: options[key] for key in ("widths", "depths", "heads")}
    peer = PlainSTViT(classes=1000, cells=((1, 8, 8), (1, 4, 4), (1, 1, 1), (1, 1, 1)), **sizes).eval()
    take_in_order(peer, network)
    return Pair(network=network, peer=peer, peer_takes=picture, batch=8)


def casvit_xs() -> Pair:
    network = ours("casvit_xs", frames=1, dist_head=False)
    options = find_preset("casvit_xs").options
    peer = PlainCASViT(classes=1000, widths=options["widths"], depths=options["depths"]).eval()
    take_in_order(peer, network)
    return Pair(network=network, peer=peer, peer_takes=picture, batch=8)


ROWS: Mapping[str, Callable[[], Pair]] = {
    "vivit_b": vivit_b,
    "vivit_b_tl8": vivit_b_tl8,
    "maxvit_t": lambda: maxvit("tiny"),
    "maxvit_s": lambda: maxvit("small"),
    "stvit_s": stvit_s,
    "casvit_xs": casvit_xs,
}


# -- measuring --------------------------------------------------------------------------------------------------------


def ways(pair: Pair, clip: Tensor, forms: tuple[str, ...]) -> dict[str, Callable[[], Tensor]]:
    """Each form as a call without arguments."""
    made: dict[str, Callable[[], Tensor]] = {}
    given = pair.peer_takes(clip)
    orders = {"peer": lambda: pair.peer(given)}
    if given.dim() == 4:
        model: Any = copy.deepcopy(pair.peer).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        last = given.contiguous(memory_format=torch.channels_last)
        orders["peer_last"] = lambda: model(last)
    builders: dict[str, Callable[[], Any]] = {
        "eager": lambda: pair.network,
        "form": lambda: pair.network.for_inference(),
        "form_plain": lambda: pair.network.for_inference(fused=False),
        "compiled": lambda: torch.compile(pair.network),
    }
    for form in forms:
        if form in orders:
            made[form] = orders[form]
        elif form in builders:
            network = builders[form]()
            made[form] = lambda network=network: network(clip)
        elif form == "peer_parts" and len(clip) > 1 and given.dim() == 4:
            in_parts = [
                lambda network=network, parts=parts: torch.cat([network(part) for part in parts])
                for network, pictures in ((pair.peer, given), (model, last))
                for size in range(1, len(clip))
                if len(clip) % size == 0
                for parts in [pictures.split(size)]
            ]
            made[form] = min(in_parts, key=best_of_three)
    return made


def best_of_three(call: Callable[[], Tensor]) -> float:
    """Seconds of the quickest of three calls, behind one that warms up."""
    call()
    return min(timed(call, time.perf_counter) for _ in range(3))


def timed(call: Callable[[], Tensor], clock: Callable[[], float]) -> float:
    began = clock()
    call()
    return clock() - began


def with_backward(call: Callable[[], Tensor]) -> Callable[[], Tensor]:
    def run() -> Tensor:
        logits = call()
        logits.square().mean().backward()
        return logits.detach()

    return run


def status_kib(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def peak_mib(call: Callable[[], Tensor]) -> float | None:
    """What a call needs at most beyond what the process holds; None where the system does not tell."""
    try:
        before = status_kib("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        call()
        return (status_kib("VmHWM") - before) / 1024
    except (OSError, StopIteration):
        return None


def matrix_rate(clock: Callable[[], float], size: int = 2048) -> float:
    """Multiply-adds a second of a product of float32 matrices, the best of a few."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = 1e9
    for _ in range(4):
        began = clock()
        a @ b
        best = min(best, clock() - began)
    return size**3 / best


def ratios_of(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Turn by turn."""
    return [a / b for a, b in zip(first, second, strict=True)]


def measure(name: str, args: argparse.Namespace, clock: Callable[[], float]) -> list[dict[str, Any]]:
    pair = ROWS[name]()
    network, batch = pair.network, args.batch or pair.batch
    frames, rows, columns = network.clip
    clip = torch.randn(batch, frames, 3, rows, columns, generator=torch.Generator().manual_seed(2))
    no_step = ("form", "form_plain", "peer_parts")
    forms = tuple(form for form in args.forms if not (args.backward and form in no_step))
    half: AbstractContextManager[object] = torch.autocast("cpu", torch.bfloat16) if args.bf16 else nullcontext()
    with torch.set_grad_enabled(args.backward), half:
        calls = ways(pair, clip, forms)
    if args.backward:
        calls = {form: with_backward(call) for form, call in calls.items()}
    macs = count_cost(network, frames=frames, size=(rows, columns))[""].macs * batch * (3 if args.backward else 1)
    taken: dict[str, list[float]] = {form: [] for form in calls}
    with torch.set_grad_enabled(args.backward), half:
        outputs = {form: call().float() for form, call in calls.items()}
        if "products" in forms:
            eager = lambda: network(clip)  # noqa: E731
            calls["products"], taken["products"] = products_of(with_backward(eager) if args.backward else eager), []
        for _ in range(args.repeats):
            for form, call in calls.items():
                taken[form].append(timed(call, clock))
        memory = {form: peak_mib(call) for form, call in calls.items()}
    rate = matrix_rate(clock)
    first, products = next(iter(calls)), taken.get("products")
    found = []
    for form, seconds in taken.items():
        logits = outputs.get(form)
        same = logits is not None and (pair.same or not first.startswith("peer"))
        difference = float((logits - outputs[first]).abs().max() / outputs[first].abs().max()) if same else None
        if not args.bf16 and difference is not None and difference > SAME:
            raise SystemExit(f"{name}: {form} is {difference:.1e} away from {first}: these are not the same networks")
        ratios = ratios_of(taken[first], seconds)
        found.append(
            {
                "network": name,
                "form": form,
                "batch": batch,
                "seconds": statistics.median(seconds),
                "clips_per_second": batch / statistics.median(seconds),
                f"times_{first}": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
                "of_products": statistics.median(ratios_of(products, seconds)) if products else None,
                "of_matrix_rate": macs / statistics.median(seconds) / rate,
                "peak_mib": memory[form],
                "difference": difference,
            }
        )
    return found


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--only", nargs="+", choices=ROWS, default=[*ROWS], help="these networks (default: all)")
    cli.add_argument("--forms", nargs="+", choices=[*FORMS, "compiled"], default=[*FORMS])
    cli.add_argument("--threads", type=int, default=1)
    cli.add_argument("--batch", type=int, help="clips in a pass (default: 1 of ViViT, 8 of the others)")
    cli.add_argument("--repeats", type=int, default=5, help="turns (default: %(default)s)")
    cli.add_argument("--bf16", action="store_true", help="under autocast to bfloat16")
    cli.add_argument("--backward", action="store_true", help="forward and backward pass, without forms for inference")
    cli.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: processor seconds, of all threads")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    precision = "bf16" if args.bf16 else "float32"
    step = "forward and backward" if args.backward else "forward"
    print(f"{step}, {precision}, threads={args.threads}, torch {torch.__version__}, {platform.machine()}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    rows = []
    for name in args.only:
        for row in measure(name, args, clock):
            rows.append(row)
            times = next(value for key, value in row.items() if key.startswith("times_"))
            memory = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
            share = "-" if row["of_products"] is None else f"{row['of_products']:.2f}"
            away = "-" if row["difference"] is None else f"{row['difference']:.0e}"
            print(
                f"| {name} | {row['form']} | {row['seconds'] * 1e3:.0f} | {row['clips_per_second']:.2f} | "
                f"{times:.2f} | {row['lowest']:.2f} to {row['highest']:.2f} | "
                f"{share} | {row['of_matrix_rate']:.2f} | {memory} | {away} |",
                flush=True,
            )
    if args.json:
        about = {"torch": torch.__version__, "machine": platform.machine(), "threads": args.threads, "step": step}
        Path(args.json).write_text(json.dumps({**about, "precision": precision, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
