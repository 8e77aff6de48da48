"""vidtok convert IN --to OUT.safetensors: bring a file of other people's weights into vidtok's form."""

from collections.abc import Sequence

from vidtok.cli import parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Bring a file of weights into vidtok's form: a .safetensors file that create_model and train.init read.\n\n"
        "Reads .safetensors, .pth, .pt, .bin, .npz and flax checkpoints of scenic, transformers, timm, VideoMAE, UMT, "
        "STViT, CAS-ViT,\npytorchvideo and torchvision; a pickle that would run code is refused."
    )
    cli.add_argument("source", metavar="IN", help="file of weights")
    cli.add_argument("--to", required=True, metavar="OUT.safetensors", help="file to write")
    cli.add_argument("--model", metavar="NAME", help="model to build; default: the one that the weights fit best")
    cli.add_argument("--classes", metavar="FILE", help="class names; default: those of the weights, or numbers")
    cli.add_argument(
        "--source-grid",
        metavar="TxHxW",
        help="time steps, rows and columns of the tokens that positions were made for, where nothing tells: 16x14x14",
    )
    words = "IN is a probe of V-JEPA 2, and this its encoder, as vidtok fit names them: facebook/vjepa2-vitl-fpc64-256"
    cli.add_argument("--encoder", metavar="ENCODER", help=words)
    words = "how that probe sees a video, by the name of its authors' file (default: IN's own name)"
    cli.add_argument("--protocol", metavar="NAME", help=words)
    args = cli.parse_args(arguments)

    from vidtok.runs.convert import parse_grid, run_convert

    grid = None if args.source_grid is None else parse_grid(args.source_grid)
    with told_in_options(args):
        run_convert(
            args.source,
            args.to,
            model=args.model,
            classes=args.classes,
            source_grid=grid,
            encoder=args.encoder,
            protocol=args.protocol,
        )
    return 0
