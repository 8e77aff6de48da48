"""What a model takes in each form: eager, compiled, ONNX Runtime, OpenVINO, 8 bits; and how far its logits move.

    python tools/bench_export.py                                   # CAS-ViT-XS on one picture
    python tools/bench_export.py --model vivit_b16x2 --batch 1 --compile --json export.json
    python tools/bench_export.py --model runs/own/model --calibrate my/clips

The rows take turns, so that what else the machine does falls on all of them; the median of --repeats stands in the
table, beside its ratio to eager and to the float32 ONNX file. With one thread the seconds are those of the processor,
which others on the machine take less of; with more those of the clock. Clips are noise, or those of --calibrate,
which static 8 bits want: with noise their speed is the same, and what is said of their outputs is worth nothing.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from vidtok.data.lists import open_list
from vidtok.errors import ModelError
from vidtok.infer.export import describe_export, export_program, pixel_clips, write_onnx, write_openvino
from vidtok.infer.export_clips import Clips, as_taken, change, read_clips
from vidtok.infer.export_quantise import quantise_dynamic, quantise_static
from vidtok.infer.exported import load_exported
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.models.create import create_model
from vidtok.models.feeding import Feeding
from vidtok.models.presets import PRESETS

CALIBRATING = 32


def opened(name: str) -> Classifier:
    """A published size with random weights and no logit at zero, or a saved model."""
    if name not in PRESETS:
        return load_model(name)
    torch.manual_seed(0)
    model = create_model(name, classes=10, feeding=Feeding(stride=1, short_side=256)).eval()
    with torch.no_grad():
        for each in model.network.parameters():
            if not each.any():
                each.normal_(std=0.02)
    return model


def forms(model: Classifier, folder: Path, clips: Clips, *, compiled: bool) -> dict[str, object]:
    """Each form as a function from pixels to logits."""
    rows: dict[str, object] = {"eager": model}
    if compiled:
        rows["compiled"] = torch.compile(model)
    program = export_program(model)
    told = describe_export(model, target="onnx", takes="pixels")
    float_file = folder / "model.onnx"
    write_onnx(program, float_file, told=told)
    rows["ONNX Runtime"] = load_exported(float_file)
    if importlib.util.find_spec("openvino"):
        write_openvino(program, folder / "model.xml", told=told)
        rows["OpenVINO"] = load_exported(folder / "model.xml")
    try:
        quantise_dynamic(float_file, folder / "dynamic.onnx")
        rows["ONNX Runtime, 8 bits, dynamic"] = load_exported(folder / "dynamic.onnx")
    except ModelError as error:
        print(f"dynamic: {error}")
    quantise_static(float_file, folder / "static.onnx", clips=as_taken(model, clips.pixels, normalised=False))
    rows["ONNX Runtime, 8 bits, static"] = load_exported(folder / "static.onnx")
    return rows


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--model", default="casvit_xs", help="a published size or a saved model (default: %(default)s)")
    cli.add_argument("--batch", type=int, default=1, help="clips at once (default: %(default)s)")
    cli.add_argument("--repeats", type=int, default=15, help="of each row (default: %(default)s)")
    cli.add_argument("--calibrate", metavar="LIST|FOLDER", help="real clips for 8 bits (default: noise)")
    cli.add_argument("--compile", action="store_true", help="a row for torch.compile, which takes a minute or two")
    cli.add_argument("--threads", type=int, default=1, help="of every row (default: %(default)s)")
    cli.add_argument("--json", metavar="FILE", help="write the figures too")
    args = cli.parse_args()
    torch.set_num_threads(args.threads)
    model = opened(args.model)
    if args.calibrate:
        clips = read_clips(model, open_list(args.calibrate, classes=model.classes)[0], most=CALIBRATING)
    else:
        clips = Clips(pixels=pixel_clips(model, 8), labels=None, failures=())
    batch = pixel_clips(model, args.batch, seed=1)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        rows = forms(model, Path(folder), clips, compiled=args.compile)
        taken: dict[str, list[float]] = {name: [] for name in rows}
        for each in rows.values():
            each(batch)  # what is made at the first call
        clock = time.process_time if args.threads == 1 else time.perf_counter
        for _ in range(args.repeats):
            for name, run in rows.items():
                began = clock()
                run(batch)
                taken[name].append(clock() - began)
        found = {}
        for name, run in rows.items():
            moved = None if name == "eager" else change(model, run, clips)
            found[name] = {
                "ms": 1000 * statistics.median(taken[name]),
                "logits": 0.0 if moved is None else moved.logits,
                "same_class": 1.0 if moved is None else moved.same_class,
            }
    eager, float32 = found["eager"]["ms"], found["ONNX Runtime"]["ms"]
    print(f"{args.model}, batch {args.batch}, {args.threads} threads, median of {args.repeats} in turns\n")
    print("| form | ms | times as fast as eager | as float32 ONNX | logits differ by | same best class |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, row in found.items():
        print(
            f"| {name} | {row['ms']:.1f} | {eager / row['ms']:.2f} | {float32 / row['ms']:.2f} | {row['logits']:.1e} | "
            f"{row['same_class']:.3f} |"
        )
    if args.json:
        told = {"model": args.model, "batch": args.batch, "threads": args.threads, "rows": found}
        Path(args.json).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
