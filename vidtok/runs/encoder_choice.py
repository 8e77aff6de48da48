"""The encoder that a command names: of timm, of transformers, of the hub, or what a run of vidtok has trained."""

from pathlib import Path

from vidtok.loading import load_model
from vidtok.models.classifier import is_pretrained
from vidtok.models.encoder_weights import EncoderWeights
from vidtok.models.encoders import find_encoder, own_encoder
from vidtok.models.transformers_folder import is_transformers_folder


def choose_encoder(wanted: str | None) -> EncoderWeights:
    """The encoder of `find_encoder`, or of a run, a saved model or a checkpoint of vidtok's own.

    Raises ModelError and CheckpointError as `find_encoder` and `vidtok.load` do.
    """
    path = Path(wanted or "")
    if wanted is None or not path.exists() or is_transformers_folder(path):
        return find_encoder(wanted)
    source = path / "model" if is_pretrained(path / "model") else path  # of a run of fit
    return own_encoder(load_model(source), name=path.resolve().name, source=wanted)
