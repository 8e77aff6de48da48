"""vidtok: video classification with ViViT, TokenLearner and a registry of spatio-temporal token mixers.

The functions below are imported when they are first asked for, so `import vidtok` itself takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidtok.infer.predict import predict_videos as predict
    from vidtok.infer.stream import StreamingClassifier
    from vidtok.loading import load_model as load
    from vidtok.models.create import create_model
    from vidtok.models.encoder_table import list_encoders
    from vidtok.models.presets import list_models
    from vidtok.runs.export import run_export as export
    from vidtok.runs.fit import run_fit as fit
    from vidtok.video.reader import open_video

__all__ = [
    "StreamingClassifier",
    "create_model",
    "export",
    "fit",
    "list_encoders",
    "list_models",
    "load",
    "open_video",
    "predict",
]

_HOMES = {
    "create_model": ("vidtok.models.create", "create_model"),
    "list_models": ("vidtok.models.presets", "list_models"),
    "list_encoders": ("vidtok.models.encoder_table", "list_encoders"),
    "export": ("vidtok.runs.export", "run_export"),
    "fit": ("vidtok.runs.fit", "run_fit"),
    "load": ("vidtok.loading", "load_model"),
    "open_video": ("vidtok.video.reader", "open_video"),
    "predict": ("vidtok.infer.predict", "predict_videos"),
    "StreamingClassifier": ("vidtok.infer.stream", "StreamingClassifier"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidtok' has no attribute {name!r}")
    module, function = _HOMES[name]
    return getattr(importlib.import_module(module), function)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
