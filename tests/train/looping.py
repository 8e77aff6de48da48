"""What the tests of the loop share: a network so small that every number can be followed, its batches and its run."""

import json

import torch
from timm.scheduler import CosineLRScheduler
from torch import nn

from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.loss import ClassLoss
from vidtok.train.parallel import Parallel
from vidtok.train.state import Progress
from vidtok.types import Batch

ALONE = Parallel(device=torch.device("cpu"))
LOSS = ClassLoss(classes=2)


class Colour(nn.Module):
    """A linear layer on the mean colour."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x):
        return self.linear(self.dropout(x.to(self.linear.weight.dtype).mean((1, 3, 4)) / 255))


def batch(step, size=4, failures=()):
    generator = torch.Generator().manual_seed(step)
    views = torch.randint(0, 256, (size, 1, 2, 3, 4, 4), generator=generator, dtype=torch.uint8)
    views[: size // 2, :, :, 0] //= 4  # class 0 has little red
    labels = tuple((int(i >= size // 2),) for i in range(size))
    return Batch(views=views, labels=labels, indices=tuple(range(size)), video_ids=("",) * size, failures=failures)


def run(folder, batches, *, model=None, progress=None, rate=0.5, **options):
    model = model or Colour()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    schedule = CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False)
    log = Log(folder, steps=len(batches), remedy="raise `workers`")
    progress = progress or Progress()
    settings = {"loss": LOSS, "records": 10, "steps": len(batches), "save": lambda at: None, **options}
    try:
        ended = train(
            model, optimizer, schedule, batches=batches, progress=progress, parallel=ALONE, log=log, **settings
        )
    finally:
        log.close()
    return model, progress, ended


def events(folder, kind):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]
