"""What a new time step of a stream costs beside the whole window: multiply-adds, and seconds in turn.

    python tools/bench_stream.py
    python tools/bench_stream.py --width 384 --heads 6 --repeats 5 --json stream.json

The network is ViViT-B/16x2 at 32 frames, with spatial attention in the first quarter of its blocks, a TokenLearner of 8
tokens behind them and joint attention over all of these; weights are random. In each round a stream that has seen a
window gets a new time step, and the network, in its form for inference too, the whole window; the first round is not
counted, and the ratio of seconds is the median of the rounds' own. Both answers are compared, and that to the first
window with the network's as it is trained.
"""

import argparse
import json
import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from vidtok import StreamingClassifier, create_model
from vidtok.infer.predict import VideoClassifier
from vidtok.models.feeding import Feeding
from vidtok.models.network import meta_copy
from vidtok.models.steps import in_order, join, per_step


def make(args: argparse.Namespace) -> VideoClassifier:
    model = create_model(
        "vivit",
        classes=[str(k) for k in range(400)],
        frames=args.frames,
        size=args.size,
        width=args.width,
        depth=args.depth,
        heads=args.heads,
        mixer={"name": "mhsa", "axes": "space"},
        token_learner={"after_block": args.depth // 4, "tokens": 8},
        position="learned_separable",
        feeding=Feeding(stride=2, short_side=args.size),
        seed=0,
    )
    torch.nn.init.normal_(model.network.head.logits.weight, std=0.02)
    return VideoClassifier.of(model).eval()


def multiply_adds(model: VideoClassifier) -> tuple[int, int]:
    """Of a whole window, and of a new time step."""
    network = meta_copy(model.network)
    frames, rows, columns = network.clip
    clip = torch.empty(1, frames, 3, rows, columns, device="meta")
    with torch.no_grad():
        with FlopCounterMode(display=False) as whole:
            network(clip)
        past = tuple(part[:, 1:] for part in per_step(network, clip))
        with FlopCounterMode(display=False) as step:
            join(network, in_order([past, per_step(network, clip[:, : network.step_frames])]))
    return whole.get_total_flops() // 2, step.get_total_flops() // 2


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--frames", type=int, default=32, help="of a window (default: %(default)s)")
    cli.add_argument("--size", type=int, default=224, help="rows and columns (default: %(default)s)")
    cli.add_argument("--width", type=int, default=768, help="default: %(default)s")
    cli.add_argument("--depth", type=int, default=12, help="blocks (default: %(default)s)")
    cli.add_argument("--heads", type=int, default=12, help="default: %(default)s")
    cli.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    cli.add_argument("--threads", type=int, default=1, help="of torch (default: %(default)s)")
    cli.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    torch.set_num_threads(args.threads)
    model = make(args).to(args.device)
    whole, step = multiply_adds(model)
    print(
        f"multiply-adds: window {whole / 1e9:.2f} G, new time step {step / 1e9:.2f} G, {whole / step:.2f} times cheaper"
    )

    own = model.network.step_frames
    shape = (args.frames + (args.repeats + 1) * own, 3, args.size, args.size)
    video = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    stream, form = StreamingClassifier(model), model.for_inference()
    (found,) = stream.push(video[: args.frames], latest=True)
    with torch.inference_mode():
        wanted = model(video[None, : args.frames].to(args.device)).softmax(1)[0].cpu()
    took, apart = [], float((found - wanted).abs().max())
    for turn in range(args.repeats + 1):
        end = args.frames + (turn + 1) * own
        new, window = video[end - own : end], video[end - args.frames : end]
        began = time.perf_counter()
        (found,) = stream.push(new)
        between = time.perf_counter()
        with torch.inference_mode():
            wanted = form(window[None].to(args.device)).softmax(1)[0].cpu()
        took.append((time.perf_counter() - between, between - began))
        apart = max(apart, float((found - wanted).abs().max()))
    ratio = statistics.median(a / b for a, b in took[1:])
    seconds = [statistics.median(each) for each in zip(*took[1:], strict=True)]
    print(f"seconds: window {seconds[0]:.3f}, new time step {seconds[1]:.3f}, {ratio:.2f} times faster")
    print(f"scores differ by {apart:.1e} at most")
    if args.json:
        figures = {
            "frames": args.frames,
            "size": args.size,
            "width": args.width,
            "depth": args.depth,
            "multiply_adds": {"window": whole, "step": step, "ratio": whole / step},
            "seconds": {"window": seconds[0], "step": seconds[1], "ratio": ratio, "rounds": args.repeats},
            "largest_difference": apart,
        }
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
