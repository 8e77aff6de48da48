"""Networks against what one would take instead, on the same work with the same weights: time, memory, equal outputs.

    python tools/bench_models.py --only casvit_xs
    python tools/bench_models.py --only maxvit_t --forms peer form --threads 2 --repeats 9 --json maxvit.json
    python tools/bench_models.py --only vivit_b --bf16
    python tools/bench_models.py --only stvit_s --backward

    vivit_b      ViViT-B/16x2 on 32 frames of 224 x 224, class token    transformers' VivitForVideoClassification
    vivit_b_tl8  the same, mean over tokens, 8 tokens after block 3     our own plain ViViT-B, whose numbers are others
    maxvit_t, _s MaxViT-T and S on pictures of 224 x 224                timm's maxvit_*_tf_224
    stvit_s      STViT-S on pictures                                    the paper's steps with unfold and fold, below
    casvit_xs    CAS-ViT-XS on pictures                                 the paper's steps with plain convolutions, below

Each row of the table is one way to compute the same: `peer` as it comes (channels first), `peer_last` in channels-last
order, `eager` our network, `form` its form for inference, `form_plain` the form of public operations only, `compiled`
our network through torch.compile (minutes; with --forms only). They take turns, so that what else the machine does
falls on all of them; a ratio is the median over turns of peer / row. `of floor` is the share of the machine's rate of
matrix products (float32, 2048 x 2048, in the same run) that the network's multiply-adds are done at. Memory is what
the process needs at most in a pass beyond what it held before, on Linux; the allocator is PyTorch's own.
"""

import argparse
import copy
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtok.models.architecture import Architecture
from vidtok.models.cost import count_cost
from vidtok.models.network import Network
from vidtok.models.options import plain
from vidtok.models.presets import find_preset
from vidtok.models.weights.maxvit_timm import load_maxvit_timm
from vidtok.models.weights.transformers_vivit import load_transformers_vivit

FORMS = ("peer", "peer_last", "eager", "form_plain", "form")
SAME = 1e-3
"""Largest difference of logits, as a share of the largest, that counts as equal in float32."""


# -- the peers that are written here ----------------------------------------------------------------------------------


def conv(width_in: int, width: int, extent: int = 1, *, stride: int = 1, groups: int = 1, bias: bool = True):
    return nn.Conv2d(width_in, width, extent, stride=stride, padding=extent // 2, groups=groups, bias=bias)


class CASGate(nn.Module):
    """x · sigmoid(w relu(BN(DWConv(x)))), then x · sigmoid(W mean(x)) (arXiv 2408.03703, section 3.2)."""

    def __init__(self, width: int):
        super().__init__()
        self.around, self.norm = conv(width, width, 3, groups=width), nn.BatchNorm2d(width)
        self.score = conv(width, 1, bias=False)
        self.channels = conv(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.score(F.relu(self.norm(self.around(x)))).sigmoid()
        return x * self.channels(F.adaptive_avg_pool2d(x, 1)).sigmoid()


class CASMixer(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.qkv = conv(width, 3 * width, bias=False)
        self.q, self.k = CASGate(width), CASGate(width)
        self.context, self.proj = conv(width, width, 3, groups=width), conv(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=1)
        return self.proj(self.context(self.q(q) + self.k(k)) * v)


class CASBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.local = nn.Sequential(
            conv(width, width),
            nn.BatchNorm2d(width),
            conv(width, width, 3, groups=width),
            nn.GELU(),
            conv(width, width),
        )
        self.mixer_norm, self.mixer, self.mlp_norm = nn.BatchNorm2d(width), CASMixer(width), nn.BatchNorm2d(width)
        self.mlp = nn.Sequential(conv(width, 4 * width), nn.GELU(), conv(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.local(x)
        x = x + self.mixer(self.mixer_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class PlainCASViT(nn.Module):
    """CAS-ViT on pictures with channels first."""

    def __init__(self, *, classes: int, widths: tuple[int, ...], depths: tuple[int, ...]):
        super().__init__()
        half, first = widths[0] // 2, widths[0]
        self.stem = nn.Sequential(
            *(conv(3, half, 3, stride=2), nn.BatchNorm2d(half), nn.ReLU()),
            *(conv(half, first, 3, stride=2), nn.BatchNorm2d(first), nn.ReLU()),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(CASBlock(width) for _ in range(depth))) for width, depth in zip(widths, depths, strict=True)
        )
        self.downsamples = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, stride=2), nn.BatchNorm2d(b)) for a, b in itertools.pairwise(widths)
        )
        self.norm, self.head = nn.BatchNorm2d(widths[-1]), nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](self.stem(x))
        for downsample, stage in zip(self.downsamples, self.stages[1:], strict=True):
            x = stage(downsample(x))
        return self.head(self.norm(x).mean((2, 3)))


class Added(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv = conv(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Attention2d(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = conv(width, 3 * width), conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, d, h, w = x.shape
        q, k, v = self.qkv(x).reshape(b, 3, self.heads, d // self.heads, h * w).unbind(1)
        weights = (k.transpose(-1, -2) @ q * (d // self.heads) ** -0.5).softmax(dim=-2)
        return self.proj((v @ weights).reshape(b, d, h, w))


class SuperTokens2d(nn.Module):
    """Super-token attention with `unfold` and `fold` over the nine neighbours (arXiv 2211.11167, section 3.2)."""

    def __init__(self, width: int, heads: int, cell: int):
        super().__init__()
        self.cell, self.refine = cell, Attention2d(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        (b, d, h0, w0), c = x.shape, self.cell
        if c == 1:
            return self.refine(x)
        x = F.pad(x, (0, -w0 % c, 0, -h0 % c))
        h, w = x.shape[2] // c, x.shape[3] // c
        tokens = x.reshape(b, d, h, c, w, c).permute(0, 2, 4, 3, 5, 1).reshape(b, h * w, c * c, d)
        with torch.no_grad():
            supers = F.adaptive_avg_pool2d(x, (h, w))
            near = F.unfold(supers, 3, padding=1).reshape(b, d, 9, h * w).permute(0, 3, 1, 2)
            affinity = (tokens @ near * d**-0.5).softmax(-1)
            mass = self._fold(affinity.sum(2).transpose(1, 2).reshape(b, 9, h * w), (h, w))
        given = (tokens.transpose(-1, -2) @ affinity).permute(0, 2, 3, 1).reshape(b, d * 9, h * w)
        supers = self.refine(self._fold(given, (h, w)) / (mass + 1e-12))
        near = F.unfold(supers, 3, padding=1).reshape(b, d, 9, h * w).permute(0, 3, 1, 2)
        y = near @ affinity.transpose(-1, -2)
        y = y.reshape(b, h, w, d, c, c).permute(0, 3, 1, 4, 2, 5).reshape(b, d, h * c, w * c)
        return y[:, :, :h0, :w0]

    @staticmethod
    def _fold(given: Tensor, size: tuple[int, int]) -> Tensor:
        return F.fold(given, size, 3, padding=1)


class SuperTokenBlock(nn.Module):
    def __init__(self, width: int, heads: int, cell: int):
        super().__init__()
        self.position = Added(width)
        self.mixer_norm = nn.LayerNorm(width, eps=1e-6)
        self.mixer = SuperTokens2d(width, heads, cell)
        self.mlp_norm = nn.BatchNorm2d(width)
        self.expand, self.added, self.contract = conv(width, 4 * width), Added(4 * width), conv(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.position(x)
        x = x + self.mixer(self.mixer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return x + self.contract(self.added(F.gelu(self.expand(self.mlp_norm(x)))))


class PlainSTViT(nn.Module):
    """STViT on pictures with channels first."""

    def __init__(self, *, classes: int, widths, depths, heads, cells, projection: int = 1024):
        super().__init__()
        half, first = widths[0] // 2, widths[0]
        self.stem = nn.Sequential()
        for a, b, stride in ((3, half, 2), (half, half, 1), (half, first, 2), (first, first, 1)):
            self.stem.extend([conv(a, b, 3, stride=stride), nn.GELU(), nn.BatchNorm2d(b)])
        sizes = zip(widths, depths, heads, cells, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*(SuperTokenBlock(width, count, cell[1]) for _ in range(depth)))
            for width, depth, count, cell in sizes
        )
        self.downsamples = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, stride=2), nn.BatchNorm2d(b)) for a, b in itertools.pairwise(widths)
        )
        self.projection, self.norm = conv(widths[-1], projection), nn.BatchNorm2d(projection)
        self.head = nn.Linear(projection, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](self.stem(x))
        for downsample, stage in zip(self.downsamples, self.stages[1:], strict=True):
            x = stage(downsample(x))
        return self.head(F.silu(self.norm(self.projection(x))).mean((2, 3)))


def take_in_order(peer: nn.Module, network: nn.Module) -> None:
    """The network's weights into a peer that is written here, whose layers stand in the same order."""
    own, theirs = network.state_dict(), peer.state_dict()
    assert len(own) == len(theirs), (len(own), len(theirs))
    pairs = zip(theirs.items(), own.values(), strict=True)
    peer.load_state_dict({key: value.reshape(wanted.shape) for (key, wanted), value in pairs})


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
    network = ours("vivit_b16x2", frames=32, token_learner=learner)
    return Pair(network=network, peer=ours("vivit_b16x2", frames=32), peer_takes=lambda clip: clip, batch=1, same=False)


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
    for form in forms:
        if form in ("peer", "peer_last"):
            model, given = pair.peer, pair.peer_takes(clip)
            if form == "peer_last":
                if given.dim() != 4:
                    continue
                model = copy.deepcopy(model).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
                given = given.contiguous(memory_format=torch.channels_last)
        else:
            given = clip
            model = {
                "eager": lambda: pair.network,
                "form": lambda: pair.network.for_inference(),
                "form_plain": lambda: pair.network.for_inference(fused=False),
                "compiled": lambda: torch.compile(pair.network),
            }[form]()
        made[form] = lambda model=model, given=given: model(given)
    return made


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


def measure(name: str, args: argparse.Namespace, clock: Callable[[], float]) -> list[dict[str, Any]]:
    pair = ROWS[name]()
    network, batch = pair.network, args.batch or pair.batch
    frames, rows, columns = network.clip
    clip = torch.randn(batch, frames, 3, rows, columns, generator=torch.Generator().manual_seed(2))
    forms = tuple(form for form in args.forms if not (args.backward and form.startswith("form")))
    calls = ways(pair, clip, forms)
    if args.backward:
        calls = {form: with_backward(call) for form, call in calls.items()}
    half: AbstractContextManager[object] = torch.autocast("cpu", torch.bfloat16) if args.bf16 else nullcontext()
    macs = count_cost(network, frames=frames, size=(rows, columns))[""].macs * batch * (3 if args.backward else 1)
    taken: dict[str, list[float]] = {form: [] for form in calls}
    with torch.set_grad_enabled(args.backward), half:
        outputs = {form: call().float() for form, call in calls.items()}
        for _ in range(args.repeats):
            for form, call in calls.items():
                began = clock()
                call()
                taken[form].append(clock() - began)
        memory = {form: peak_mib(call) for form, call in calls.items()}
    rate = matrix_rate(clock)
    first = next(iter(calls))
    found = []
    for form, seconds in taken.items():
        difference = float((outputs[form] - outputs[first]).abs().max() / outputs[first].abs().max())
        if not args.bf16 and (pair.same or not first.startswith("peer")) and difference > SAME:
            raise SystemExit(f"{name}: {form} is {difference:.1e} away from {first}: these are not the same networks")
        ratios = [theirs / own for theirs, own in zip(taken[first], seconds, strict=True)]
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
                "of_matrix_rate": macs / statistics.median(seconds) / rate,
                "peak_mib": memory[form],
                "difference": difference if pair.same or not first.startswith("peer") else None,
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
    print("| network | form | ms | clips/s | times first | lowest to highest | of floor | MiB | difference |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for name in args.only:
        for row in measure(name, args, clock):
            rows.append(row)
            times = next(value for key, value in row.items() if key.startswith("times_"))
            memory = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
            away = "-" if row["difference"] is None else f"{row['difference']:.0e}"
            print(
                f"| {name} | {row['form']} | {row['seconds'] * 1e3:.0f} | {row['clips_per_second']:.2f} | "
                f"{times:.2f} | "
                f"{row['lowest']:.2f} to {row['highest']:.2f} | {row['of_matrix_rate']:.2f} | {memory} | {away} |",
                flush=True,
            )
    if args.json:
        about = {"torch": torch.__version__, "machine": platform.machine(), "threads": args.threads, "step": step}
        Path(args.json).write_text(json.dumps({**about, "precision": precision, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
