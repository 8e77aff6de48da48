"""A video or picture encoder of transformers behind the contract, with a linear layer on its maps of a clip."""

import copy
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from einops import rearrange
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from vidtok.choices import Summary
from vidtok.errors import ModelError
from vidtok.models.network import Clip
from vidtok.models.registry import register
from vidtok.models.summary_network import SummaryNetwork
from vidtok.models.transformers_families import Geometry, Stage, family_of, final_norm


@register("transformers")
class TransformersEncoder(SummaryNetwork):
    """V-JEPA 2, VideoPrism, VideoMAE, ViViT, TimeSformer, Hiera, PE-Video, DINOv3, SigLIP, CLIP or X-CLIP.

    `config`: the configuration of the library's encoder as JSON, with its `model_type`; see
    `vidtok.models.transformers_families` for the rows. `summary`: what the linear layer sees, see `SummaryNetwork`.

    Features are the grid `b t h w d`, `t` in the order of time, whatever the library's own order is; class and register
    tokens are apart, see `beside`. Every depth but 0 goes through the final norm, and so does the last: where the
    library puts that norm behind its pooling (CLIP, X-CLIP, a VideoMAE with mean pooling) it stands here on every
    token; Hiera's depths are as they are. The middle maps are those of the middle block.

    Weights start at random: `vidtok.models.encoders.find_encoder` brings them. Needs the package transformers, which is
    imported here alone. Raises ModelError for a configuration that makes no encoder, for clips that it was not built
    for, although the library would take some of them in silence, and where transformers is not installed.
    """

    def __init__(
        self,
        *,
        classes: int,
        config: Mapping[str, Any],
        frames: int = 16,
        size: int | tuple[int, int] = 224,
        summary: Summary = "mean",
        trained_blocks: int | None = 0,
    ):
        super().__init__(frames=frames, size=size)
        self.family = family_of(config)
        self.frames_apart = self.family.frames_apart
        self.body, self.geometry = encoder_of(config, clip=self.clip)
        self.middle = max(1, len(self.blocks) // 2)
        self.add_head(classes, summary=summary, trained_blocks=trained_blocks)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The blocks of all stages; of a Hiera its stages."""
        return tuple(block for stage in self.family.stages for block in _list(self.body, stage.blocks))

    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """The final norm is of the head; what leads from one stage to the next has the depth of the next one."""
        parts: list[tuple[nn.Module | None, int]] = [(self.body, 0)]
        done, last = 0, len(self.blocks) + 1
        for stage in self.family.stages:
            parts += [(self.body.get_submodule(path), done + 1) for path in stage.before]
            done += len(_list(self.body, stage.blocks))
            depth = last if done == last - 1 else done
            parts += [(self.body.get_submodule(path), depth) for path in stage.norms]
        return parts

    def no_weight_decay(self) -> set[str]:
        """The family's positions and class tokens."""
        said = super().no_weight_decay() | {f"body.{path}" for path in self.family.spared}
        return said & dict(self.named_parameters()).keys()

    def also_take(self, *, frames: int, size: int | tuple[int, int]) -> None:
        """Nothing but the clip that it was built for: ModelError."""
        if (frames, *((size, size) if isinstance(size, int) else size)) not in self.clips:
            raise ModelError(
                f"{self.family.words} takes the clips that it was built for alone: {self.clip}; build another"
            )

    def arranged(self, output: Any, *, depth: int, clips: int) -> Float[Tensor, "b t h w d"]:
        """The grid of a block's output, through the final norm."""
        tokens = self._normed(output, depth=depth)
        stage = self._stage(depth)
        if stage.layout == "windows":
            body: Any = self.body
            return rearrange(
                body.encoder.reroll(tokens, stage_idx=max(0, depth - 1)), "(b t) h w d -> b t h w d", b=clips
            )
        _, height, width = self._places()
        grid = tokens[:, self.geometry.beside :]
        return rearrange(grid, f"{stage.layout} -> b t h w d", b=clips, h=height, w=width)

    def beside(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t n d"]:
        """Class and register tokens through the final norm: of each frame, or of the clip (t = 1); n may be 0."""
        tokens = self._normed(self._last(x), depth=len(self.blocks))[:, : self.geometry.beside]
        return (
            rearrange(tokens, "(b t) n d -> b t n d", b=x.shape[0])
            if self.geometry.beside
            else (tokens.new_empty(x.shape[0], 1, 0, tokens.shape[-1]))
        )

    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b t h w d"]:
        return self.arranged(self._last(x), depth=len(self.blocks), clips=x.shape[0])

    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Float[Tensor, "b t h w d"], Float[Tensor, "b t2 h2 w2 d2"]]:
        depths = (self.middle, len(self.blocks))
        middle, last = (
            self.arranged(output, depth=depth, clips=x.shape[0])
            for output, depth in zip(self._outputs(x, depths), depths, strict=True)
        )
        return last, middle

    def _last(self, x: Float[Tensor, "b f c y x"]) -> Any:
        """What the last block puts out."""
        return self._outputs(x, (len(self.blocks),))[0]

    def _outputs(self, x: Float[Tensor, "b f c y x"], depths: Sequence[int]) -> list[Any]:
        """What the blocks before these depths put out."""
        found: dict[int, Any] = {}

        def keep(depth: int) -> Callable[..., None]:
            return lambda _module, _given, output: found.update({depth: output})

        hooks = [self.blocks[depth - 1].register_forward_hook(keep(depth)) for depth in {*depths}]
        try:
            pixels = rearrange(x, "b f c y x -> (b f) c y x") if self.family.frames_as_batch else x
            self.body(**{self.family.takes: pixels}, **self.family.options)
        finally:
            for hook in hooks:
                hook.remove()
        return [found[depth] for depth in depths]

    def _normed(self, output: Any, *, depth: int) -> Float[Tensor, "n l d"]:
        tokens = output[0] if isinstance(output, tuple) else output
        for path in self._stage(depth).norms if depth else ():
            tokens = self.body.get_submodule(path)(tokens)
        return tokens

    def _stage(self, depth: int) -> Stage:
        """The stage whose block gives this depth; depth 0 is what the first takes in."""
        done = 0
        for stage in self.family.stages:
            done += len(_list(self.body, stage.blocks))
            if depth <= done:
                return stage
        raise ModelError(f"depth {depth}: {self.family.words} has depths 0 to {done}")

    def _places(self) -> tuple[int, int, int]:
        return grid_of(self.clip, self.geometry)


def encoder_of(config: Mapping[str, Any], *, clip: Clip) -> tuple[Any, Geometry]:
    """The library's encoder of this configuration for such clips, with initial weights, and its geometry."""
    family = family_of(config)
    made: Any = encoder_class(family.body)
    try:
        plan = made.config_class.from_dict(copy.deepcopy(dict(config)))
        for name, value in family.settings.items():
            setattr(plan, name, value)
        geometry = family.geometry(plan)
        check_clip_of(clip, geometry, words=family.words)
        if family.body == "VJEPA2Model":  # its positions count places of a picture of this size
            plan.crop_size, plan.frames_per_clip = clip[1], clip[0]
        body = made(plan)
    except ModelError:
        raise
    except library_errors() as error:
        raise ModelError(f"config: no {family.words} can be made of it: {error}") from error
    final_norm(body, plan)
    for path in family.unused:
        owner, _, name = path.rpartition(".")
        setattr(body.get_submodule(owner), name, None)
    return body, geometry


def encoder_class(name: str) -> Any:
    """A class of transformers; ModelError where it is not installed, or too old for the class."""
    try:
        return getattr(importlib.import_module("transformers"), name)
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{name} needs the package transformers, 5.24 or newer: pip install 'vidtok[transformers]' ({error})"
        ) from error


def library_errors() -> tuple[type[Exception], ...]:
    """What transformers raises for configurations and weights that it cannot use."""
    strict = getattr(importlib.import_module("huggingface_hub.errors"), "StrictDataclassError", ValueError)
    return (
        strict,
        SafetensorError,
        OSError,
        TypeError,
        ValueError,
        AttributeError,
        KeyError,
        RuntimeError,
        ImportError,
    )


def check_clip_of(clip: Clip, geometry: Geometry, *, words: str) -> None:
    """ModelError for a clip that an encoder was not built for, with one that it was."""
    frames, rows, columns = clip
    step, down, right = geometry.cell
    if geometry.frames not in (None, frames):
        raise ModelError(f"{words} was built for clips of {geometry.frames} frames, got {frames}")
    if geometry.size not in (None, (rows, columns)):
        raise ModelError(f"{words} was built for pictures of {geometry.size} (rows, columns), got {(rows, columns)}")
    if geometry.frames is None and (frames % step or frames < step):
        raise ModelError(f"{words} takes frames in multiples of {step}: it would leave the rest out, got {frames}")
    if geometry.size is None and (rows % down or columns % right or min(rows, columns) < 1):
        raise ModelError(
            f"{words} takes pictures in multiples of {(down, right)} pixels: it would leave the rest out, got "
            f"{(rows, columns)}"
        )
    if geometry.square and rows != columns:
        raise ModelError(f"{words} takes square pictures, got {(rows, columns)}")


def grid_of(clip: Clip, geometry: Geometry) -> tuple[int, int, int]:
    """Time steps, rows and columns of the places."""
    steps, rows, columns = (extent // cell for extent, cell in zip(clip, geometry.cell, strict=True))
    return steps, rows, columns


def _list(body: nn.Module, path: str) -> nn.ModuleList:
    found = body.get_submodule(path)
    assert isinstance(found, nn.ModuleList)
    return found
