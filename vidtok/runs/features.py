"""What a model makes of videos before its last layer, as one file with names and times; a stopped command goes on."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vidtok.choices import Backend, Device, Engine, FeatureKind
from vidtok.errors import ConfigError, ModelError
from vidtok.infer.features import VideoFeatures, extract_features, weights_digest
from vidtok.infer.predict import model_views
from vidtok.loading import load_model
from vidtok.models.classifier import Classifier
from vidtok.runs.feature_files import ENDINGS, FeatureRow, read_features, write_features
from vidtok.runs.folders import make_folder
from vidtok.runs.parquet import check_parquet
from vidtok.runs.predict import Labelled, check_engine, list_videos
from vidtok.runs.progress import FileProgress
from vidtok.runs.ray_work import ray_features
from vidtok.text.console import printable
from vidtok.train.parallel import start_parallel
from vidtok.types import Failure


def run_features(
    model: str | Path | Classifier,
    sources: Sequence[str | Path],
    *,
    out: str | Path,
    kind: FeatureKind = "pooled",
    depth: int | None = None,
    clips: int = 1,
    root: str | Path | None = None,
    backend: Backend = "pyav",
    device: Device = "auto",
    allow_plugins: bool = False,
    engine: Engine = "here",
    actors: int | None = None,
    ray_address: str | None = None,
) -> Labelled:
    """Write the features of files, all videos of a folder, or those of lists: see `extract_features`.

    `out`, a .npz, .safetensors or .parquet file, has a row for each clip, in the order of the sources: `features`, the
    video's name in `names`, and in `seconds` when its frames are shown. What is known stands beside it in a folder
    until all is: the same call goes on behind that, and tries those again that had failed. Videos that `out` had before
    stay in it. Raises VidtokError for what cannot be used.

    `engine`=ray: by `actors` of a Ray Data job, as `run_predict` has it.
    """
    check_engine(engine, actors=actors, ray_address=ray_address)
    file = Path(out)
    if file.suffix not in ENDINGS:
        raise ConfigError(f"--out {out}: features are written as {', '.join(ENDINGS)}; give it one of these endings")
    if file.suffix == ".parquet":
        check_parquet(file)
    if clips < 1:
        raise ConfigError(f"--clips counts from 1, got {clips}")
    videos = list(list_videos(sources, root=root))
    failed: list[Failure] = []
    with start_parallel("cpu" if engine == "ray" else device) as parallel:
        loaded = model if isinstance(model, Classifier) else load_model(model, allow_plugins=allow_plugins)
        loaded = loaded.to(parallel.device)
        model_views(loaded, clips=clips)  # what cannot be is told before anything is opened
        blocks = len(loaded.network.blocks)
        if depth is not None and not 0 <= depth <= blocks:
            raise ModelError(f"--depth {depth}: this network has depths 0 to {blocks}")
        way = {"weights": weights_digest(loaded), "kind": kind, "depth": depth, "clips": clips}
        parts = Parts(file, told=json.dumps(way, sort_keys=True))
        left = [video for video in videos if not parts.has(video)]
        if engine == "ray":
            results = ray_features(
                *(loaded, left),
                kind=kind,
                depth=depth,
                clips=clips,
                backend=backend,
                device=device,
                actors=actors,
                ray_address=ray_address,
            )
        else:
            results = extract_features(
                loaded.for_inference(), left, kind=kind, depth=depth, clips=clips, backend=backend
            )
        with closing(results), FileProgress(len(videos), done=len(videos) - len(left)) as progress:
            for result in results:
                if isinstance(result, Failure):
                    failed.append(result)
                    progress.say(f"failed: {result.cause}")
                else:
                    parts.keep(result)
                progress.add(bad=isinstance(result, Failure))
    parts.join(videos, finished=not failed)
    return Labelled(done=len(left) - len(failed), before=len(videos) - len(left), failed=tuple(failed))


class Parts:
    """The features of single videos, a file for each in a folder beside `out`, and `out` itself, which is made of them.

    Where `out` stands without such a folder, its rows are divided into one. `told`: what features follow from beside
    the videos; ConfigError for features that follow from something else.
    """

    def __init__(self, out: Path, *, told: str):
        self.out, self.told = out, told
        self.folder = out.with_name(f".{out.name}.parts")
        make_folder(out.parent)
        if out.exists() and not self.folder.exists():
            self._divide()
        self.folder.mkdir(exist_ok=True)

    def place(self, video: Path) -> Path:
        name = hashlib.blake2b(os.fsencode(video), digest_size=16).hexdigest()
        return self.folder / f"{name}.safetensors"

    def has(self, video: Path) -> bool:
        """Whether its features are there. ConfigError for those of another model, or taken otherwise."""
        place = self.place(video)
        try:
            with safe_open(place, framework="pt") as file:
                told = (file.metadata() or {}).get("told")
        except (OSError, SafetensorError):
            return False
        self._check(told, self.folder)
        return True

    def keep(self, found: VideoFeatures) -> None:
        """Write them, whole or not at all."""
        place = self.place(found.path)
        aside = place.with_name(f".{place.name}.{os.getpid()}.part")
        tensors = {"features": found.features.contiguous(), "seconds": found.seconds.contiguous()}
        save_file(tensors, aside, metadata={"told": self.told, "name": printable(str(found.path))})
        os.replace(aside, place)

    def join(self, videos: Sequence[Path], *, finished: bool) -> None:
        """Make `out` of what is there; the folder goes when nothing is missing."""
        there = [place for place in map(self.place, videos) if place.exists()]
        others = sorted(set(self.folder.glob("[!.]*.safetensors")) - set(there))
        rows = [row for place in (*there, *others) for row in self._rows(place)]
        if rows:
            write_features(self.out, rows, told=self.told)
        if finished:
            shutil.rmtree(self.folder)

    def _rows(self, place: Path) -> list[FeatureRow]:
        with safe_open(place, framework="pt") as file:
            told = file.metadata()
            self._check(told["told"], self.folder)
            clips = file.get_slice("features").get_shape()[0]
        return [FeatureRow(name=told["name"], file=place, row=row) for row in range(clips)]

    def _divide(self) -> None:
        told, found = read_features(self.out)
        self._check(told, self.out)
        made = self.folder.with_name(f"{self.folder.name}.{os.getpid()}")
        made.mkdir()
        final, self.folder = self.folder, made
        for name, (features, seconds) in found.items():
            self.keep(VideoFeatures(path=Path(name), features=features, seconds=seconds))
        os.replace(made, final)
        self.folder = final

    def _check(self, told: str | None, where: Path) -> None:
        if told != self.told:
            raise ConfigError(
                f"{where}: features of another model, or of other --clips, --depth or --tokens; name another"
            )
