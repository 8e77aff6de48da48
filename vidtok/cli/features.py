"""vidtok features VIDEO|FOLDER|LIST… --model RUN --out FILE: what a model makes of videos before its last layer."""

from collections.abc import Sequence
from typing import get_args

from vidtok.choices import Backend, Device
from vidtok.cli import add_engine, parser, told_in_options


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Write the features of videos: files, all videos of a folder, or those of lists. Each is taken as the model\n"
        "was fed in training. The file has a row for each clip, with the video's name and when its frames are shown.\n"
        "The same command goes on where it was stopped. The exit status is 1 where videos could not be decoded."
    )
    cli.add_argument(
        "--model", required=True, help="a run's or a saved model's folder, a checkpoint, or an id on the hub"
    )
    cli.add_argument("sources", nargs="+", metavar="VIDEO|FOLDER|LIST|SHARDS")
    cli.add_argument("--out", required=True, metavar="FILE", help="a .npz, .safetensors or .parquet file")
    cli.add_argument("--tokens", action="store_true", help="every token, not the mean over places and times")
    cli.add_argument("--depth", type=int, help="behind so many blocks (default: what the network pools)")
    cli.add_argument("--clips", type=int, default=1, help="clips over each video (default: %(default)s)")
    cli.add_argument("--root", help="where relative paths of a list begin (default: the list's folder)")
    cli.add_argument("--backend", choices=get_args(Backend), default="pyav", help="default: %(default)s")
    cli.add_argument("--device", choices=get_args(Device), default="auto", help="default: %(default)s")
    cli.add_argument("--allow-plugins", action="store_true", help="let the model import the modules that it names")
    cli.add_argument("--allow-missing", action="store_true", help="exit with 0 even if videos could not be decoded")
    add_engine(cli)
    args = cli.parse_args(arguments)

    from vidtok.runs.features import run_features

    with told_in_options(args):
        written = run_features(
            args.model,
            args.sources,
            out=args.out,
            kind="tokens" if args.tokens else "pooled",
            depth=args.depth,
            clips=args.clips,
            root=args.root,
            backend=args.backend,
            device=args.device,
            allow_plugins=args.allow_plugins,
            engine=args.engine,
            actors=args.actors,
            ray_address=args.ray_address,
        )
    print(f"{args.out}: {written.done} videos encoded, {written.before} before, {len(written.failed)} failed")
    return 1 if written.failed and not args.allow_missing else 0
