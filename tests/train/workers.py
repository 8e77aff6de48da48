"""What several processes run in the tests of this folder: `torchrun … workers.py PART FOLDER` leaves found.pt there."""

import dataclasses
import json
from pathlib import Path

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from vidtok.errors import NotFiniteError
from vidtok.models.architecture import Architecture
from vidtok.models.classifier import Classifier
from vidtok.train.ema import Averages
from vidtok.train.fsdp import full, shard_model, whole_weights
from vidtok.train.groups import parameter_groups
from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.loss import ClassLoss
from vidtok.train.memory import checkpoint_blocks
from vidtok.train.norms import synchronise_norms
from vidtok.train.optim import make_optimizer, make_schedule
from vidtok.train.parallel import Parallel, start_parallel
from vidtok.train.state import RunState
from vidtok.train.store import Start, Store
from vidtok.types import Batch

STEPS, BATCH, CLASSES = 20, 6, 5
FORMS = [(form, accumulate) for form in ("ddp", "fsdp2") for accumulate in (1, 2)]
SHORT, SHORT_FORMS = 5, [("ddp", 2), ("fsdp2", 2)]
NETWORKS = {
    "vivit": {"width": 12, "depth": 2, "heads": 2, "tubelet": (2, 8, 8), "token_learner": {"after_block": 1}},
    "casvit": {"widths": (8, 8, 8, 8), "depths": (1, 1, 1, 1)},
}


def make_model(network: str = "vivit", dtype: torch.dtype = torch.float64) -> Classifier:
    torch.manual_seed(1)
    architecture = Architecture(network=network, options=NETWORKS[network], frames=4, size=32)
    built = architecture.build(classes=CLASSES)
    for parameter in built.parameters():  # zeros at the start, as of the last layer, would leave the rest no gradient
        nn.init.normal_(parameter, std=0.2)
    return Classifier(built, mean=(0.5,) * 3, std=(0.5,) * 3, classes=tuple("abcde")).to(dtype)


def batches(parallel: Parallel, *, first: int, steps: int):
    """This process's share of each step, every `world`-th clip: 6 clips on 1, 2 or 4 processes."""
    for step in range(first, steps):
        generator = torch.Generator().manual_seed(step)
        views = torch.randint(0, 256, (BATCH, 1, 4, 3, 32, 32), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, CLASSES, (BATCH,), generator=generator).tolist()
        own = range(parallel.rank, BATCH, parallel.world)
        yield Batch(
            views=views[parallel.rank :: parallel.world],
            labels=tuple((labels[i],) for i in own),
            indices=tuple(own),
            video_ids=("",) * len(own),
            failures=(),
        )


def make_state(parallel: Parallel, *, network: str = "vivit", dtype: torch.dtype = torch.float64) -> RunState:
    model = make_model(network, dtype)
    if parallel.sharded:
        shard_model(model, device=parallel.device)
    optimizer = make_optimizer(parameter_groups(model, weight_decay=0.05, layer_decay=0.8), lr=1e-3)
    return RunState(model=model, optimizer=optimizer, averages=Averages(model, decay=0.9))


def go(state: RunState, parallel: Parallel, folder: Path, *, steps: int, accumulate: int = 1) -> list[float]:
    """Train to `steps`; the losses of all steps that this call made."""
    schedule = make_schedule(state.optimizer, lr=1e-3, steps=STEPS, warmup_steps=3)
    log = Log(folder if parallel.is_main else None, steps=steps, first_step=state.progress.step)
    first = state.progress.step
    try:
        train(
            state.model,
            state.optimizer,
            schedule,
            loss=ClassLoss(classes=CLASSES),
            batches=batches(parallel, first=first, steps=steps),
            records=100,
            progress=state.progress,
            steps=steps,
            parallel=parallel,
            log=log,
            save=lambda at: None,
            averages=state.averages,
            accumulate=accumulate,
            frozen_statistics=True,
            clip_norm=0.5,
            log_every=1,
        )
    finally:
        log.close()
    if not parallel.is_main:
        return []
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [event["loss"] for event in events if event["event"] == "train" and event["step"] > first]


def results(state: RunState) -> dict[str, dict[str, torch.Tensor]]:
    checkpoint = state.checkpoint(config="", classes=())
    optimizer = {f"{n} {k}": v for n, values in checkpoint.optimizer["state"].items() for k, v in values.items()}
    kept = {"model": checkpoint.model, "ema": checkpoint.ema, "optimizer": optimizer}
    return {part: {name: value.clone() for name, value in tensors.items()} for part, tensors in kept.items()}


def equal(parallel: Parallel, folder: Path, *, network: str, forms, dtypes, steps: int = STEPS) -> dict:
    """Losses and final state of each form, from the start."""
    found = {}
    for form, accumulate in forms:
        for dtype in dtypes:
            of_form = dataclasses.replace(parallel, form=form)
            state = make_state(of_form, network=network, dtype=dtype)
            name = f"{form} {accumulate} {dtype}"
            losses = go(state, of_form, folder / name, steps=steps, accumulate=accumulate)
            found[name] = (losses, results(state))
    return found


def evaluation(parallel: Parallel) -> list[bool]:
    """Sharded models tested by processes of which each makes another number of passes, then trained on."""
    model, whole = make_model(), make_model()
    shard_model(model, device=parallel.device)
    views = torch.randint(0, 256, (4, 4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    found = []
    for _ in range(2):
        with whole_weights(model.eval()), torch.inference_mode():
            for _ in range(1 + 2 * parallel.rank):
                logits = model(views)
        found.append(torch.equal(logits, whole.eval()(views)))
        model.train()(views).sum().backward()
        whole.train()(views).sum().backward()
        gradients = zip(model.parameters(), whole.parameters(), strict=True)
        found.append(all(torch.allclose(full(a.grad), b.grad, rtol=0, atol=1e-12) for a, b in gradients))
        found.append(any(float(parameter.grad.abs().max()) > 0 for parameter in whole.parameters()))
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        expected = nn.utils.clip_grad_norm_(whole.parameters(), 1e-3)
        found.append(bool(torch.isclose(full(norm), expected, rtol=1e-12)))
        model.zero_grad()
        whole.zero_grad()
    return found


def bfloat16(parallel: Parallel) -> dict:
    """Types of the weights and of the residual stream in a sharded block, and how far gradients are from float32's."""
    model, whole = make_model(dtype=torch.float32), make_model(dtype=torch.float32)
    model.to(parallel.device)
    whole.to(parallel.device)
    shard_model(model, device=parallel.device, bf16=True)
    views = torch.randint(0, 256, (4, 4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    views = views.to(parallel.device)
    layer, seen = model.network.get_submodule("encoder.blocks.0.mlp_norm"), []
    layer.register_forward_pre_hook(lambda layer, inputs: seen.extend([layer.weight.dtype, inputs[0].dtype]))
    with torch.autocast(parallel.device.type, torch.bfloat16):
        model(views).float().square().sum().backward()
    whole(views).square().sum().backward()
    pairs = [(full(a.grad), b.grad) for a, b in zip(model.parameters(), whole.parameters(), strict=True)]
    gap = sum(float((a - b).square().sum()) for a, b in pairs) / sum(float(b.square().sum()) for _, b in pairs)
    kept = {str(tensor.dtype) for parameter in model.parameters() for tensor in (parameter, parameter.grad)}
    return {"seen": [str(dtype) for dtype in seen], "kept": sorted(kept), "gap": gap**0.5}


def synchronised(parallel: Parallel) -> float:
    """How far a synchronised batch norm of this process's share is from a batch norm of the whole batch."""
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0)).to(parallel.device)
    norm = synchronise_norms(nn.Sequential(nn.BatchNorm2d(3)).to(parallel.device), device=parallel.device)
    expected = nn.BatchNorm2d(3).to(parallel.device)(x)[parallel.rank :: parallel.world]
    return float((norm(x[parallel.rank :: parallel.world]) - expected).abs().max())


def recomputed(parallel: Parallel) -> bool:
    """Sharded blocks that are computed again in the backward pass have the same gradients."""
    model, whole = make_model(), make_model()
    checkpoint_blocks(model.network.blocks)
    shard_model(model, device=parallel.device)
    views = torch.randint(0, 256, (4, 4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    for each in (model, whole):
        each(views).square().sum().backward()
    gradients = zip(model.parameters(), whole.parameters(), strict=True)
    return all(torch.allclose(full(a.grad), b.grad, rtol=1e-12, atol=1e-12) for a, b in gradients)


def resume(parallel: Parallel, folder: Path, *, source: str, form: str) -> dict:
    """Go on from a checkpoint of step 3 to step 6."""
    parallel = dataclasses.replace(parallel, form=form)
    state, store = make_state(parallel), Store(folder=folder / source, parallel=parallel)
    start = store.find_start(None)
    assert isinstance(start, Start)
    store.restore(state, store.open(start), start)
    go(state, parallel, folder / f"log {source} {form} {parallel.world}", steps=6)
    return results(state)


def shards(parallel: Parallel, folder: Path) -> dict:
    """Three steps sharded, saved in both forms, and on to six; then from each checkpoint on, in both forms."""
    split = dataclasses.replace(parallel, form="fsdp2")
    state = make_state(split)
    go(state, split, folder / "log", steps=3)
    for name, sharded in (("sharded", True), ("full", False)):
        Store(folder=folder / name, parallel=split, sharded=sharded).save(state, config="c: 1", classes=("a",))
    go(state, split, folder / "log", steps=6)
    found = {"whole": results(state)}
    for source in ("sharded", "full", "one"):
        for form in ("fsdp2", "ddp"):
            found[f"{source} {form}"] = resume(parallel, folder, source=source, form=form)
    return found


def poisoned(parallel: Parallel, folder: Path) -> dict[str, list[str]]:
    """What each process says when the last one alone has a NaN: in a weight, its average, the optimizer's state."""
    found, name = {}, "network.head.logits.weight"
    for form in ("ddp", "fsdp2"):
        of_form = dataclasses.replace(parallel, form=form)
        state = make_state(of_form)
        go(state, of_form, folder / f"log poisoned {form}", steps=1)
        state.check_finite(of_form)
        weight = dict(state.model.named_parameters())[name]
        assert state.averages is not None
        parts = {"optimizer": state.optimizer.state[weight]["exp_avg"], "average": state.averages.state[name]}
        for where, tensor in {**parts, "weight": weight.data}.items():
            if parallel.rank == parallel.world - 1:
                (tensor.to_local() if isinstance(tensor, DTensor) else tensor)[-1] = float("nan")
            said = ""
            try:
                Store(folder=folder / f"poisoned {form}", parallel=of_form).save(state, config="", classes=())
            except NotFiniteError as error:
                said = str(error)
            found[f"{form} {where}"] = parallel.gather(said)
    return found


def quick(parallel: Parallel, folder: Path) -> dict:
    both = equal(parallel, folder, network="vivit", forms=SHORT_FORMS, dtypes=[torch.float64], steps=SHORT)
    return {
        "evaluation": evaluation(parallel),
        "bfloat16": bfloat16(parallel),
        "recomputed": recomputed(parallel),
        "shards": shards(parallel, folder),
        "poisoned": poisoned(parallel, folder),
        "vivit": both,
    }


def whole(parallel: Parallel, folder: Path) -> dict:
    return {
        network: equal(parallel, folder / network, network=network, forms=FORMS, dtypes=dtypes)
        for network, dtypes in (("vivit", [torch.float64, torch.float32]), ("casvit", [torch.float64]))
    }


def on_gpu(parallel: Parallel, folder: Path) -> dict:
    if parallel.world == 1:
        torch.distributed.init_process_group("nccl")  # a group of one shards too
    found = {"bfloat16": bfloat16(parallel), "synchronised": synchronised(parallel)}
    if parallel.world == 1:
        torch.distributed.destroy_process_group()
    return found


def work(part: str, folder: Path) -> None:
    """What every process does."""
    with start_parallel("cuda" if part == "on_gpu" else "cpu") as parallel:
        found = {"quick": quick, "whole": whole, "on_gpu": on_gpu}[part](parallel, folder)
        if parallel.is_main:
            torch.save(found, folder / "found.pt")
