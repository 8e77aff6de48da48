"""The files of a model on the Hugging Face hub that can be read without running code, from the cache first."""

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from vidtok.errors import CheckpointError

HUB_SECONDS = 5.0
HUB_NAME = r"[\w.-]+/[\w.-]+"
WANTED = (
    "config.json",
    "*preprocessor_config.json",
    "processor_config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "README.md",
)


def hub_folder(name: str, revision: str | None) -> Path:
    """The folder of the cache that holds `ORG/NAME` at this revision; fetched where it is not there.

    The hub has HUB_SECONDS to answer; size and licence are printed before anything is fetched. Raises CheckpointError
    where it is neither in the cache nor to be had.
    """
    try:
        held = Path(snapshot_download(name, revision=revision, local_files_only=True))
        if (held / "config.json").is_file() and any(held.glob("model*.safetensors")):
            return held
    except LocalEntryNotFoundError:
        pass
    try:
        told = HfApi().model_info(name, revision=revision, timeout=HUB_SECONDS, files_metadata=True)
        files = told.siblings or []
        size = sum(file.size or 0 for file in files if any(Path(file.rfilename).match(form) for form in WANTED))
        licence = (told.card_data or {}).get("license") or "not stated"
        print(f"fetching {name} ({size / 2**20:.0f} MiB, licence: {licence})", flush=True)
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    except (OSError, HfHubHTTPError, ValueError) as error:
        words = name if revision is None else f"{name}@{revision}"
        raise CheckpointError(
            f"{words}: no folder of this name, not in the hub's cache, and the hub does not answer: {error}"
        ) from error
