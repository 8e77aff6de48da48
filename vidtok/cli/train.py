"""Train a network, and test it at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from vidtok.build import Lists, build_lists, build_model, build_train_batches, init_weights
from vidtok.cli import add_overrides, parser
from vidtok.cli.test import measure_predictions, predict, test
from vidtok.config import Config
from vidtok.config_io import difference, load_config, load_config_text, to_yaml
from vidtok.errors import CheckpointError
from vidtok.models.classifier import Classifier
from vidtok.train.checkpoint import (
    Checkpoint,
    checkpoint_path,
    find_checkpoint,
    list_checkpoints,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from vidtok.train.log import Log, plot_curves
from vidtok.train.loop import Progress, train
from vidtok.train.optim import make_optimizer, make_schedule
from vidtok.train.parallel import Parallel, start_parallel

# These may change between the parts of a run: they do not alter what is computed.
FREE_KEYS = ("run.dir", "run.device", "data.workers", "data.root", "eval")


def run(arguments: Sequence[str]) -> int:
    cli = parser(
        "Train a network. A run that was stopped goes on where its folder's newest checkpoint stands.\n"
        "Many processes: torchrun --nproc-per-node N tools/train_net.py --cfg …"
    )
    cli.add_argument("--cfg", required=True, help="config file")
    cli.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="CHECKPOINT",
        help="go on from this checkpoint where the run's folder has none; alone: insist that the folder has one",
    )
    cli.add_argument(
        "--allow-missing", action="store_true", help="exit with 0 even if test videos could not be decoded"
    )
    add_overrides(cli)
    args = cli.parse_args(arguments)

    config = load_config(args.cfg, args.overrides)
    lists = build_lists(config)
    with start_parallel(config.run.device) as parallel:
        return run_training(config, lists, parallel, resume=args.resume, allow_missing=args.allow_missing)


def run_training(config: Config, lists: Lists, parallel: Parallel, *, resume: str | None, allow_missing: bool) -> int:
    """The whole run on this process; the exit status."""
    folder = Path(str(config.run.dir))
    checkpoints = folder / "checkpoints"
    model = build_model(config, lists.classes).to(parallel.device)
    settings = config.train
    optimizer = make_optimizer(model, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay)
    schedule = make_schedule(optimizer, lr=settings.lr, steps=settings.steps, warmup_steps=settings.warmup_steps)

    # Where the weights come from: 1. the run's own newest checkpoint, 2. --resume, 3. train.init, 4. scratch.
    progress, origin = Progress(), "from scratch"
    if (start := find_start(checkpoints, resume)) is not None:
        checkpoint = load_checkpoint(start, device=parallel.device)
        check_same(config, checkpoint, start, lists.classes)
        load_weights(model, checkpoint.model, source=start)
        optimizer.load_state_dict(dict(checkpoint.optimizer))
        progress = Progress(step=checkpoint.step, bad=dict(checkpoint.bad))
        origin = f"going on from {start}"
    elif settings.init is not None:
        origin = init_weights(model, settings.init)

    log = Log(folder if parallel.is_main else None, steps=settings.steps, first_step=progress.step)
    if parallel.is_main:
        (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    size = sum(parameter.numel() for parameter in model.parameters())
    log.event("start", step=progress.step, origin=origin, parameters=size, processes=parallel.world)
    log.say(
        f"{config.model['name']}, {size / 1e6:.2f} M parameters, {len(lists.classes)} classes | "
        f"train {len(lists.train)}, val {len(lists.val)} videos | {parallel.world} x {parallel.device} | {origin}"
    )

    def save(at: Progress) -> None:
        if parallel.is_main:
            state = Checkpoint(
                step=at.step,
                model=model.state_dict(),
                optimizer=optimizer.state_dict(),
                config=to_yaml(config),
                classes=lists.classes,
                bad=at.bad,
            )
            path = save_checkpoint(state, checkpoints)
            log.event("saved", step=at.step, path=str(path))
        parallel.wait()

    def validate(trained: nn.Module) -> Mapping[str, float]:
        assert isinstance(trained, Classifier)
        predictions = predict(config, trained, lists.val, parallel, single=True)
        figures = measure_predictions(config, predictions, lists.val, aggregate="logits")
        name, value = next(iter(figures.values.items()))  # the first is the one that is followed
        return {name: value}

    try:
        ended = train(
            model,
            optimizer,
            schedule,
            batches=build_train_batches(config, lists.train, parallel, first_step=progress.step),
            records=len(lists.train),
            progress=progress,
            steps=settings.steps,
            parallel=parallel,
            log=log,
            save=save,
            validate=validate,
            seed=config.run.seed,
            precision=settings.precision,
            score_kind=settings.loss,
            label_smoothing=settings.label_smoothing,
            clip_norm=settings.clip_norm,
            max_bad_fraction=config.data.max_bad_fraction,
            log_every=settings.log_every,
            save_every=settings.save_every,
            eval_every=config.eval.every,
        )
        if not ended:
            path = checkpoint_path(checkpoints, progress.step)
            log.say(f"stopped after step {progress.step} of {settings.steps}; the same command goes on from {path}")
            return 130
        if parallel.is_main:
            log.say(f"curves: {plot_curves(folder)}")
    finally:
        log.close()
    if not config.eval.after_train:
        return 0
    last = checkpoint_path(checkpoints, progress.step)
    figures = test(config, model, lists.val, parallel, out=folder / "test", checkpoint=str(last))
    return 1 if figures.failed and not allow_missing else 0


def find_start(checkpoints: Path, resume: str | None) -> Path | None:
    """The checkpoint to go on from: the run's own newest one, else the one asked for, else None."""
    own = list_checkpoints(checkpoints)
    if own:
        return own[-1]
    if resume == "":
        raise CheckpointError(f"{checkpoints}: --resume, but there is no checkpoint; leave --resume out to start anew")
    return find_checkpoint(resume) if resume is not None else None


def check_same(config: Config, checkpoint: Checkpoint, path: Path, classes: Sequence[str]) -> None:
    """Raise CheckpointError that shows every key in which this run differs from the one in the checkpoint."""
    before = load_config_text(checkpoint.config, source=f"config in {path}")
    lines = difference(config, before, ignore=FREE_KEYS)
    if tuple(classes) != checkpoint.classes:
        lines.append(f"classes: {len(classes)} in the list | {len(checkpoint.classes)} in the checkpoint")
    if lines:
        raise CheckpointError(
            f"{path}: this run was started with another configuration (now | then):\n  " + "\n  ".join(lines) + "\n"
            "Undo the change to go on, or set run.dir to another folder to start anew."
        )
