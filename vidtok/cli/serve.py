"""vidtok serve MODEL…: a page in the browser: drop a video, see its class, its timeline and where the model looks."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import get_args

from vidtok.choices import Device
from vidtok.cli import parser, told_in_options
from vidtok.errors import ConfigError
from vidtok.text.arguments import told_with


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Serve a page on which a video can be dropped: its classes, its timeline, a video of where the model looks.\n"
        "With --label, the clips of a folder get their classes by key, and `vidtok fit` is started on them. It\n"
        "answers this machine alone unless --host says otherwise, and then wants the token in the address it prints."
    )
    words = "a run's or a saved model's folder, a checkpoint, an exported file, or an id on the hub"
    cli.add_argument("models", nargs="*", metavar="MODEL", help=words)
    cli.add_argument("--samples", metavar="FOLDER", help="videos that visitors may pick")
    cli.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: %(default)s)")
    cli.add_argument("--port", type=int, default=8000, metavar="N", help="0: one that is free (default: %(default)s)")
    label = cli.add_argument_group("labelling")
    label.add_argument("--label", metavar="FOLDER", help="clips that visitors may give classes")
    label.add_argument("--classes", default="", metavar="A,B,…", help="the classes to begin with (default: asked for)")
    label.add_argument("--list", metavar="FILE.csv", help="the list that is written (default: FOLDER/labels.csv)")
    label.add_argument("--fit-out", metavar="RUN", help="of a fit (default: runs/fit_NAME, by the folder's name)")
    label.add_argument("--encoder", metavar="ENCODER", help="of a fit, as `vidtok fit` takes it")
    bounds = cli.add_argument_group("limits")
    for name, default, what in (
        ("upload-megabytes", 200.0, "of a file"),
        ("video-seconds", 120.0, "that a video is long"),
        ("work-seconds", 300.0, "that are given to a video"),
        ("fit-minutes", 240.0, "that a fit may take"),
        ("session-minutes", 30.0, "without a visit, after which everything of a visitor is removed"),
    ):
        words = f"{what} (default: %(default)g)"
        bounds.add_argument(f"--{name}", type=float, default=default, metavar="N", help=words)
    bounds.add_argument(
        "--waiting", type=int, default=8, metavar="N", help="videos in the queue (default: %(default)s)"
    )
    cli.add_argument("--device", choices=get_args(Device), default="auto", help="default: %(default)s")
    cli.add_argument("--allow-plugins", action="store_true", help="let models import the modules that they name")
    args = cli.parse_args(arguments)
    if args.label is None and (args.classes or args.list or args.fit_out or args.encoder):
        cli.error("--classes, --list, --fit-out and --encoder are for the clips of --label FOLDER")

    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise ConfigError(f"the page needs {name}: pip install 'vidtok[page]'")
    from vidtok.page.limits import Limits
    from vidtok.page.serve import Labelling, run_serve

    labelling = None
    if args.label is not None:
        classes = [name.strip() for name in args.classes.split(",") if name.strip()]
        labelling = Labelling(
            folder=args.label, classes=classes, file=args.list, out=args.fit_out, encoder=args.encoder
        )
    with told_in_options(args), told_with({"folder": "--label"}):
        run_serve(
            args.models,
            samples=args.samples,
            labelling=labelling,
            host=args.host,
            port=args.port,
            limits=Limits(
                upload_megabytes=args.upload_megabytes,
                video_seconds=args.video_seconds,
                work_seconds=args.work_seconds,
                fit_minutes=args.fit_minutes,
                session_minutes=args.session_minutes,
                waiting=args.waiting,
            ),
            device=args.device,
            allow_plugins=args.allow_plugins,
        )
    return 0
