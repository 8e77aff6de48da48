"""vidtok convert IN --to OUT.safetensors: bring a file of other people's weights into vidtok's form."""

from collections.abc import Sequence

from vidtok.cli import parser


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Bring a file of weights into vidtok's form: a .safetensors file that create_model and train.init read.\n\n"
        "Reads .safetensors, .pth, .pt, .bin, .npz and flax checkpoints of scenic, transformers, timm, VideoMAE, UMT, "
        "STViT, CAS-ViT,\npytorchvideo and torchvision; a pickle that would run code is refused."
    )
    cli.add_argument("source", metavar="IN", help="file of weights")
    cli.add_argument("--to", required=True, metavar="OUT.safetensors", help="file to write")
    cli.add_argument("--model", metavar="NAME", help="model to build; default: the one that the weights fit best")
    cli.add_argument("--classes", metavar="FILE", help="one class name per line; default: the classes are numbered")
    args = cli.parse_args(arguments)

    from vidtok.runs.convert import run_convert

    run_convert(args.source, args.to, model=args.model, classes=args.classes)
    return 0
