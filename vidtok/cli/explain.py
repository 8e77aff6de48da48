"""vidtok explain CFG [VIDEO]: say which frames and crops training and testing see."""

import re
from collections.abc import Sequence
from pathlib import Path

from vidtok.cli import parser
from vidtok.errors import ConfigError


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Say which frames and crops training and testing see. Without a video: the arithmetic alone; with one, also a\n"
        "contact sheet of its clips. A video that stands in the config's lists is taken as the record that it is there."
    )
    cli.add_argument("cfg", metavar="CFG", help="config file, or the name of one that comes with vidtok")
    words = "a video or a folder of pictures; changes of the config, such as data.stride=4"
    cli.add_argument("rest", nargs="*", metavar="VIDEO | key.sub=value", help=words)
    shown = "show the first epochs of training on the sheet, not the testing views"
    cli.add_argument("--train", action="store_true", help=shown)
    cli.add_argument("--out", help="the sheet to write; default: explain.png")
    args = cli.parse_intermixed_args(arguments)

    overrides = [word for word in args.rest if re.match(r"[a-z_][a-z0-9_.]*=", word) and not Path(word).exists()]
    videos = [word for word in args.rest if word not in overrides]
    if len(videos) > 1:
        raise ConfigError(f"one video at a time, got {len(videos)}: {', '.join(videos)}")
    if not videos and (args.train or args.out):
        raise ConfigError("--train and --out are for the sheet of a video: name one behind the config")

    from vidtok.runs.explain import run_explain

    video = videos[0] if videos else None
    run_explain(args.cfg, video, overrides=overrides, training=args.train, out=args.out or "explain.png")
    return 0
