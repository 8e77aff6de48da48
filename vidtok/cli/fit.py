"""vidtok fit DIR|LIST --out RUN: a classifier from one's own clips, by a frozen encoder and a linear probe."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Backend, Device, FineTuning, ProbeKind
from vidtok.cli import add_own_clips, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Fit a classifier on a folder with a sub-folder per class, or a list, and say how good it is on videos that\n"
        "it has not seen. A picture network that was trained on millions of pictures looks at 16 frames of each;\n"
        "a linear layer learns. Each video is encoded once; the model in RUN/model is what `vidtok predict` takes."
    )
    cli.add_argument("source", metavar="DIR|LIST")
    cli.add_argument("--out", required=True, metavar="RUN", help="folder for features, figures and the model")
    words = (
        "timm's NAME or NAME=FILE, a FOLDER that transformers saved, ORG/NAME@REVISION on the hub, or a RUN or model "
        "of vidtok (default: what is at hand)"
    )
    cli.add_argument("--encoder", metavar="ENCODER", help=words)
    add_own_clips(cli)
    words = "parts, each left out once to measure (default: 5, or one of up to ten groups of --group at a time)"
    cli.add_argument("--folds", type=int, help=words)
    words = "frames over each video (default: 16, or as many as the encoder was built for)"
    cli.add_argument("--frames", type=int, help=words)
    words = "linear, or a probe with attention on the tokens: for many clips of each class (default: %(default)s)"
    cli.add_argument("--probe", choices=get_args(ProbeKind), default="linear", help=words)
    words = (
        "train the encoder's last blocks too, from the linear probe's start; measured with every fold left out, or "
        "`once` with the first alone, which is quicker"
    )
    cli.add_argument("--finetune", nargs="?", const="folds", choices=get_args(FineTuning), help=words)
    cli.add_argument("--workers", type=int, default=0, help="processes that decode (default: this one)")
    cli.add_argument("--backend", choices=get_args(Backend), default="pyav", help="default: %(default)s")
    cli.add_argument("--device", choices=get_args(Device), default="auto", help="default: %(default)s")
    words = "of your model, for its card, as the hub writes it: apache-2.0 (that of the encoder is noted in any case)"
    cli.add_argument("--licence", metavar="NAME", help=words)
    cli.add_argument("--allow-missing", action="store_true", help="leave out videos that cannot be decoded")
    args = cli.parse_args(arguments)

    from vidtok.runs.fit import run_fit

    options = {name: value for name, value in vars(args).items() if name not in ("source", "out")}
    with told_in_options(args):
        run_fit(args.source, out=args.out, **options)
    return 0
