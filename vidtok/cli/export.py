"""vidtok export MODEL --to onnx --out FILE: a trained model as a file for other runtimes."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Backend, ExportInput, ExportTarget, Quantisation
from vidtok.cli import parser, told_in_options

NO_CORE_ML = (
    "--to coreml: Core ML files are not written, since nothing but a Mac runs them and none was at hand. Write a .pt2 "
    "with --input normalised, and convert that with coremltools: docs/export.md"
)


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Write a trained model as a file for other runtimes. It takes any number of clips b f c y x, uint8 pixels,\n"
        "and gives logits; its classes and how clips are taken from videos stand inside. Before it gets its name it\n"
        "is run here and held against PyTorch. `vidtok predict --model FILE` runs ONNX and OpenVINO files."
    )
    cli.add_argument("model", help="a run's or a saved model's folder, a checkpoint, or an id on the hub")
    cli.add_argument("--out", required=True, metavar="FILE", help=".onnx, .pt2, .xml (OpenVINO)")
    cli.add_argument(
        "--to", choices=(*get_args(ExportTarget), "coreml"), help="kind of file (default: what the ending says)"
    )
    words = "uint8, normalised inside of the file, or floats that are normalised already (default: %(default)s)"
    cli.add_argument("--input", dest="takes", choices=get_args(ExportInput), default="pixels", help=words)
    cli.add_argument("--clip", metavar="VIDEO", help="a video whose clip the file is checked on beside noise")
    eight = cli.add_argument_group("8 bits", "ONNX alone; the change of the outputs is measured and said")
    words = "static: all layers with weights, by --calibrate; dynamic: matrix products, by the clip of the moment"
    eight.add_argument("--quantise", choices=get_args(Quantisation), help=words)
    eight.add_argument("--calibrate", metavar="LIST|FOLDER", help="videos whose clips tell the ranges of values")
    eight.add_argument("--measure", metavar="LIST|FOLDER", help="videos to measure on (default: those of --calibrate)")
    eight.add_argument("--root", help="where relative paths of a list begin (default: the list's folder)")
    cli.add_argument("--backend", choices=get_args(Backend), default="pyav", help="default: %(default)s")
    cli.add_argument("--allow-plugins", action="store_true", help="let the model import the modules that it names")
    args = cli.parse_args(arguments)
    if args.to == "coreml":
        cli.error(NO_CORE_ML)

    from vidtok.runs.export import run_export

    with told_in_options(args):
        run_export(
            args.model,
            args.out,
            to=args.to,
            takes=args.takes,
            quantise=args.quantise,
            calibrate=args.calibrate,
            measure=args.measure,
            clip=args.clip,
            root=args.root,
            backend=args.backend,
            allow_plugins=args.allow_plugins,
        )
    return 0
