"""What every network promises: the clips that it takes, its blocks in their order, and what its parameters are."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar, overload, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from vidtok.errors import ModelError
from vidtok.nn.flow import fold_norms, watched
from vidtok.nn.inference import inference_layer
from vidtok.nn.looks import at_rest, energy
from vidtok.nn.onednn import why_not_for
from vidtok.types import AttentionMap

Clip = tuple[int, int, int]
"""Frames, rows, columns."""
COLOURS = 3
MAPPED_BYTES = 32 * 2**20
"""Tensors from this size on are mapped by the C library anew, and faulted in page by page, at every allocation."""
Answer = TypeVar("Answer", Tensor, list[Tensor])
Module = TypeVar("Module", bound=nn.Module)


class Network(nn.Module, ABC):
    """Normalised clips `b f c y x` in, logits `b k` out, and all that others have to know of a network.

    A network of one's own says what is abstract here and is entered by `vidtok.models.registry.register`; the rest
    follows. `blocks` are its layers in the order of use, each a unit of layer-wise decay, recomputation and sharding,
    and depths count them:

        tokenizer, stem, positions   block 0   block 1   …   block L - 1   last norm, head
                    0                   1         2      …        L             L + 1

    It takes clips of exactly the frames and the size that it was built for, and of those added by `also_take`: others
    raise ModelError. An empty batch gives empty logits, through which a gradient of zero reaches every parameter that
    another batch would give one, and changes no statistics.
    """

    grid: tuple[int, int, int]
    """Time steps, rows and columns of the tokens, where they are fewest."""
    is_inference_form: bool = False
    """Made by `for_inference`: its weights are no other network's, and nothing of it is trained."""
    joins_clips = False
    """Testing shows it all clips of a crop as one, one after the other, in the place of each by itself."""
    clips_at_once: int | None = None
    """A larger batch goes through in parts of so many clips; None for whole batches."""

    def __init__(self, *, frames: int, size: int | tuple[int, int]):
        super().__init__()
        rows, columns = (size, size) if isinstance(size, int) else size
        self.clip: Clip = (frames, rows, columns)
        self.clips: tuple[Clip, ...] = (self.clip,)

    @property
    @abstractmethod
    def blocks(self) -> tuple[nn.Module, ...]:
        """The layers between stem and head, in the order of use."""

    @abstractmethod
    def beside_blocks(self) -> Iterable[tuple[nn.Module | None, int]]:
        """Parts that are in no block, each with its depth; those that are not named have the head's."""

    @abstractmethod
    def tokens(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b *axes d"]:
        """What is pooled, from at least one clip of the right size."""

    @abstractmethod
    def logits(self, x: Float[Tensor, "b f c y x"]) -> Float[Tensor, "b k"]:
        """The logits of at least one clip of the right size."""

    @abstractmethod
    def reset_classifier(self, classes: int) -> None:
        """Put a new last layer for this many classes, as at the start of training, in the place of the old one."""

    def looks(self, x: Float[Tensor, "b f c y x"]) -> tuple[AttentionMap, ...]:
        """What `attention` gives, for at least one clip of the right size; in evaluation state, without gradients.

        As it stands here it shows how active each place of the pooled tokens is: a network with attention has more.
        Raises ModelError where these are no grid.
        """
        tokens = self.tokens(x)
        if tokens.dim() != 5:
            raise ModelError(
                f"{type(self).__name__} does not say where it looks: its pooled tokens are no grid b t h w d "
                f"(their shape is {tuple(tokens.shape)}), and it has no method `looks` of its own"
            )
        return (energy(tokens, place="the last grid, before the pooling"),)

    def why_whole(self) -> str | None:
        """Why it takes whole clips alone, and what to set; None: its time steps can be computed apart from each other.

        A network for which that is so says what it keeps of each (`steps`) and what it makes of those of a clip
        (`logits_of_steps`). See `vidtok.models.steps`, by which they are asked.
        """
        return f"{type(self).__name__} does not tell apart what it computes of each time step and what of all of them"

    def steps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Tensor, ...]:
        """What it keeps of each time step, `b t …` each, of any number of whole ones, wherever they stand in a clip."""
        raise ModelError(f"no time step by itself: {self.why_whole()}")

    def logits_of_steps(self, *kept: Tensor) -> Float[Tensor, "b k"]:
        """The logits of clips, from what `steps` kept of their time steps in the order of time."""
        raise ModelError(f"no time step by itself: {self.why_whole()}")

    @property
    def step_frames(self) -> int:
        """Frames of a time step."""
        return self.clip[0] // self.grid[0]

    def arranged(self, output: Tensor, *, depth: int, clips: int) -> Float[Tensor, "b *axes d"]:
        """What block `depth - 1` puts out (with 0, what the first takes in) with clips first and channels last."""
        return output

    def forward(self, x: Shaped[Tensor, "..."]) -> Float[Tensor, "b k"]:
        return self._answer(x, self.logits)

    @overload
    def features(self, x: Shaped[Tensor, "..."]) -> Float[Tensor, "b *axes d"]: ...
    @overload
    def features(self, x: Shaped[Tensor, "..."], *, depths: Sequence[int]) -> list[Tensor]: ...
    def features(self, x: Shaped[Tensor, "..."], *, depths: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """The tokens that are pooled; with `depths` those before the first block (0) or behind that many blocks.

        Axes are `b t h w d` on the grid, `b t s d` behind a TokenLearner, `b n d` with a class token, which stands
        first. Raises ModelError for a depth that the network does not have.
        """
        if depths is None:
            return self._answer(x, self.tokens)
        blocks, found = self.blocks, dict[int, Any]()
        if wrong := [depth for depth in depths if not 0 <= depth <= len(blocks)]:
            raise ModelError(f"depths: {type(self).__name__} has depths 0 to {len(blocks)}, got {wrong}")

        def keeping(depth: int, *, inputs: bool) -> Callable[..., None]:
            def keep(_block: nn.Module, given: tuple[object, ...], output: object = None) -> None:
                kept = given[0] if inputs else output
                # Two pathways may come as a list, whose entries later layers change.
                found[depth] = list(kept) if isinstance(kept, list) else kept

            return keep

        def chosen(clips: Tensor) -> list[Tensor]:
            hooks = [blocks[0].register_forward_pre_hook(keeping(0, inputs=True))] if blocks else []
            for depth, block in enumerate(blocks, start=1):
                hooks.append(block.register_forward_hook(keeping(depth, inputs=False)))
            try:
                self.tokens(clips)
            finally:
                for hook in hooks:
                    hook.remove()
            return [self.arranged(found[depth], depth=depth, clips=clips.shape[0]) for depth in depths]

        return self._answer(x, chosen)

    def attention(self, x: Shaped[Tensor, "..."]) -> tuple[AttentionMap, ...]:
        """Where the network looks, time step by time step: each map with its place in the network and its meaning.

        The maps of learned tokens, if there are any, stand before the attention between them. The network is asked in
        evaluation state and is afterwards as it was. Raises ModelError for another clip than it was built for, and
        where it has nothing to show.
        """
        self.check_clip(x)
        with at_rest(self):
            found = self.looks(x if x.shape[0] > 0 else x.new_zeros(1, *x.shape[1:]))
        return tuple(replace(each, maps=each.maps[: x.shape[0]]) for each in found)

    def _answer(self, x: Tensor, ask: Callable[[Tensor], Answer]) -> Answer:
        self.check_clip(x)
        most = self.clips_at_once
        if most is not None and x.shape[0] > most:
            parts: list[Any] = [ask(part) for part in x.split(most)]
            return (
                torch.cat(parts)
                if isinstance(parts[0], Tensor)
                else [torch.cat(each) for each in zip(*parts, strict=True)]
            )  # pyright: ignore[reportReturnType]
        return ask(x) if x.shape[0] > 0 else _of_none(self, x, ask)

    def for_inference(self, *, fused: bool | None = None) -> "Network":
        """The same network for inference alone: norms and scales folded into weights of its own, fewer operations.

        It gives the same numbers to rounding, takes the same clips, and has no use in training: it is in evaluation
        state, and its weights are constants under names of its own. `fused=False` uses PyTorch's public operations
        alone, and can be exported. `fused=True` puts activations and sums into the products, by operations that
        PyTorch has for processors; None does so where that is possible: see `vidtok.nn.onednn`, which raises
        ModelError where it is not; such a form cuts a batch into parts, so that its largest tensor stays below 32 MB,
        where memory is cheap to get. A network without a form of its own, such as a plugin's, gets its parts' forms.
        """
        if fused is None:
            fused = why_not_for(self) is None
        elif fused and (cause := why_not_for(self)):
            raise ModelError(f"fused=True: operations with activations and sums inside cannot be used: {cause}")
        form = copy.deepcopy(self).eval().requires_grad_(False)
        shadow, (frames, rows, columns) = meta_copy(form), self.clip

        def run() -> Tensor:
            return shadow.logits(torch.empty(1, frames, COLOURS, rows, columns, device="meta"))

        seen = watched(run)
        if seen is not None:
            fold_norms(form, shadow=shadow, seen=seen, depth_of=self.group_matcher())
        done: Any = inference_layer(form, fused=fused).eval()
        if fused and seen is not None:
            done.clips_at_once = max(1, MAPPED_BYTES // max(4 * seen.largest, 1))
        done.is_inference_form = True
        return done

    def check_clip(self, x: Shaped[Tensor, "..."]) -> None:
        """Raise ModelError, with the clip that came and the one that is wanted, unless the network takes it."""
        shape = tuple(x.shape[1:])
        # One after the other, since sizes that torch.compile leaves open have no hash.
        if len(shape) == 4 and shape[1] == COLOURS and any((shape[0], *shape[2:]) == clip for clip in self.clips):
            if x.is_floating_point():
                return
            raise ModelError(
                f"{type(self).__name__} takes normalised clips of floats, got {x.dtype}; "
                "vidtok.models.classifier.Classifier, which create_model and load give, normalises pixels"
            )
        wanted = " or ".join(f"b {f} {COLOURS} {rows} {columns}" for f, rows, columns in sorted(self.clips))
        raise ModelError(
            f"{type(self).__name__} was built for clips of {wanted}, in the order b f c y x "
            f"(batch, frames, colours, rows, columns), got {' '.join(map(str, x.shape))}"
        )

    def also_take(self, *, frames: int, size: int | tuple[int, int]) -> None:
        """Take clips of another size as well, where the network can; ModelError, from a trial without data, if not."""
        rows, columns = (size, size) if isinstance(size, int) else size
        clip = (frames, rows, columns)
        if clip in self.clips:
            return
        try:
            with torch.no_grad():
                meta_copy(self).logits(torch.empty(1, frames, COLOURS, rows, columns, device="meta"))
        except (ValueError, RuntimeError) as error:
            f, y, x = self.clip
            raise ModelError(
                f"{type(self).__name__}, made for {f} frames of {y} x {x} pixels, cannot take {frames} of "
                f"{rows} x {columns}: {str(error).splitlines()[0]}"
            ) from error
        self.clips = (*self.clips, clip)

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that weight decay should spare beside those with one axis: positions, class tokens.

        Each layer says it of its own by a method of this name.
        """
        found = set()
        for path, module in self.named_modules():
            said: Callable[[], Iterable[str]] | None = getattr(module, "no_weight_decay", None)
            if said is not None and module is not self:
                found |= {f"{path}.{name}" for name in said()}
        return found

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """The depth of a parameter or a layer by its name; coarse: 0 before the blocks, 1 in them, 2 behind.

        The form is timm's: `timm.models.group_parameters(network, network.group_matcher())`.
        """
        blocks = self.blocks
        paths = {module: path for path, module in self.named_modules()}
        parts = [*((block, depth) for depth, block in enumerate(blocks, start=1)), *self.beside_blocks()]
        depths = {paths[module]: depth for module, depth in parts if module is not None}
        last = len(blocks) + 1

        def depth_of(name: str) -> int:
            path = name
            while path not in depths and path:
                path = path.rpartition(".")[0]
            depth = depths.get(path, last)
            return (depth > 0) + (depth == last) if coarse else depth

        return depth_of


@runtime_checkable
class HeadOnMaps(Protocol):
    """A network whose logits follow from maps that can be had apart: an encoder, and what is fitted on it."""

    def maps(self, x: Float[Tensor, "b f c y x"]) -> tuple[Tensor, ...]:
        """What the head sees, each a grid `b t h w d`, the last layer's first."""
        ...

    def logits_of_maps(self, *maps: Tensor) -> Float[Tensor, "b k"]:
        """The logits of clips of such maps."""
        ...


def meta_copy(network: Module) -> Module:
    """The network in evaluation state on the meta device, where a forward pass tells shapes and computes nothing."""
    shadows: dict[int, Tensor] = {}
    for tensor in (*network.parameters(), *network.buffers()):
        dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
        shadow = torch.empty_like(tensor, device="meta", dtype=dtype)
        shadows[id(tensor)] = nn.Parameter(shadow) if isinstance(tensor, nn.Parameter) else shadow
    return copy.deepcopy(network, shadows).eval()


def _of_none(network: Network, x: Tensor, ask: Callable[[Tensor], Any]) -> Any:
    """The answer to no clips: that to one of zeros, in evaluation state, cut off."""
    # Marked here and not as a decorator, which would bring the compiler, and seconds, into every import.
    apart: Any = torch.compiler.disable(_of_zeros)
    return apart(network, x, ask)


def _of_zeros(network: Network, x: Tensor, ask: Callable[[Tensor], Any]) -> Any:
    with _no_learning(network):
        answer = ask(torch.cat([x, x.new_zeros(1, *x.shape[1:])]))
    return answer[:0] if isinstance(answer, Tensor) else [part[:0] for part in answer]


@contextmanager
def _no_learning(network: nn.Module) -> Iterator[None]:
    """Within this context nothing is dropped and no statistics move, but those that other processes wait for."""
    training = [module for module in network.modules() if module.training]
    shared = [module for module in training if isinstance(module, nn.SyncBatchNorm)]
    try:
        for module in training:
            module.training = module in shared
        for norm in shared:
            norm.forward = _joining(norm)
        yield
    finally:
        for norm in shared:
            del norm.forward
        for module in training:
            module.training = True


def _joining(norm: nn.SyncBatchNorm) -> Any:
    """Take part in the exchange of statistics with nothing, and normalise by what is known."""
    exchange = norm.forward

    def forward(input: Tensor) -> Tensor:
        none = exchange(input[:0])
        mean, var = (None if known is None else known.clone() for known in (norm.running_mean, norm.running_var))
        return torch.cat([none, F.batch_norm(input, mean, var, norm.weight, norm.bias, eps=norm.eps)])

    return forward
