"""Whether testing sees what training saw: a sample of the training videos, tested by the views of both."""

from dataclasses import replace

from vidtok.build_data import eval_views, unspoilt_train_views
from vidtok.config import Config
from vidtok.data.lists import Records
from vidtok.models.classifier import Classifier
from vidtok.runs.test import measure_predictions, predict
from vidtok.train.checks import geometry_warning
from vidtok.train.log import Log
from vidtok.train.parallel import Parallel
from vidtok.video.sample import spread


def compare_geometries(
    config: Config, model: Classifier, train: Records, parallel: Parallel, log: Log
) -> dict[str, float | int] | None:
    """Test a sample of the training videos by the testing views and by the crops of training, and say what they make.

    Without mirroring, augmentation and controls: what differs is where the pictures lie. None where nothing could be
    read, or no sample is wanted.
    """
    plain = config.model_copy(update={"eval": config.eval.model_copy(update={"control": "none"})})
    sample = train.subset(spread(len(train), config.eval.train_sample))
    if not len(sample):
        return None
    found = []
    for views in (eval_views(plain), unspoilt_train_views(plain)):
        predictions = predict(plain, model, sample, parallel, views=views)
        own = replace(predictions, labels=tuple(sample[index].labels for index in predictions.indices))
        if not len(own):
            return None
        figures = measure_predictions(plain, own, sample, aggregate=plain.eval.aggregate)
        found.append(next(iter(figures.readable.items())))
    (name, tested), (_, trained) = found
    log.say(f"{len(own)} training videos | by the testing views {name} {tested:.3f} | as trained {name} {trained:.3f}")
    if text := geometry_warning(name, tested=tested, trained=trained, n=len(own)):
        log.warn(text)
    return {"n": len(own), f"{name}_testing_views": tested, f"{name}_training_crops": trained}
