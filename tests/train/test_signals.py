"""Ctrl-C and SIGTERM stop behind the step."""

import os
import signal
import threading
import time

import pytest
import torch
from timm.scheduler import CosineLRScheduler

from tests.train.looping import ALONE, LOSS, Colour, batch, run
from vidtok.train.log import Log
from vidtok.train.loop import train
from vidtok.train.signals import stop_requests
from vidtok.train.state import Progress


def test_training_in_a_thread_leaves_the_signals_alone(tmp_path):
    before, found = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, [batch(step) for step in range(3)])))
    thread.start()
    thread.join()
    assert found[0][1].step == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_stops_after_the_step_with_a_checkpoint(tmp_path):
    saved = []

    def batches():
        for step in range(100):
            if step == 7:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch(step)

    handler = signal.getsignal(signal.SIGINT)
    stream = batches()
    model = Colour()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = CosineLRScheduler(optimizer, t_initial=1000, t_in_epochs=False)
    log = Log(tmp_path, steps=100)
    progress = Progress()
    ended = train(
        model,
        optimizer,
        schedule,
        loss=LOSS,
        batches=stream,
        records=10,
        progress=progress,
        steps=100,
        parallel=ALONE,
        log=log,
        save=lambda at: saved.append(at.step),
    )
    log.close()
    assert not ended
    assert progress.step == 8
    assert saved == [8]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_sigterm_does_nothing_and_an_interrupt_acts_at_once():
    with stop_requests() as asked_to_stop:
        assert not asked_to_stop()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        assert asked_to_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
