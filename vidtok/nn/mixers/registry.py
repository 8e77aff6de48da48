"""The table of token mixers, and the decorator that enters a class in it."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from vidtok.errors import ModelError

MIXERS: dict[str, type[nn.Module]] = {}
MixerClass = TypeVar("MixerClass", bound=type[nn.Module])


class Mixer(Protocol):
    """What a mixer promises: the shape of its input comes out again, and its map can be shown.

    A mixer that needs the grid (`needs_grid`) takes exactly `b t h w d`; the others take any axes between `b` and `d`.
    It may say what its map means (`map_meaning`, by default attention), and in which of the heads the map holds a where
    (`where_heads`, a slice, by default all of them; None: it looks along time alone). One through which no time step
    learns of another, on a grid of any number of them, says so: `steps_apart` (by default False).
    """

    needs_grid: bool

    def __call__(self, x: Float[Tensor, "b *axes d"]) -> Float[Tensor, "b *axes d"]: ...

    def attention_map(
        self, x: Float[Tensor, "b *axes d"], *, query: Tensor | None = None
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "b *axes d"]]:
        """The map, `b heads q n` (rows `query`, by default all) or `b t h w d` for additive mixers, and the output."""
        ...


def register(name: str) -> Callable[[MixerClass], MixerClass]:
    """Enter a mixer under `name`; the class comes back untouched. Its keyword-only options are the config's keys."""

    def enter(cls: MixerClass) -> MixerClass:
        if name in MIXERS and MIXERS[name] is not cls:
            raise ModelError(f"two mixers are called {name!r}: {MIXERS[name].__qualname__} and {cls.__qualname__}")
        MIXERS[name] = cls
        return cls

    return enter


def mixer_class(name: str) -> type[nn.Module]:
    """The class behind a name; ModelError with the known names, nearest first, where there is none."""
    if name not in MIXERS:
        near = difflib.get_close_matches(name, MIXERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ModelError(f"there is no mixer {name!r}{hint} Known: {', '.join(sorted(MIXERS))}")
    return MIXERS[name]


def mixer_options(name: str) -> tuple[str, ...]:
    """The options of a mixer: the keyword-only arguments of its class."""
    parameters = inspect.signature(mixer_class(name)).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def make_mixer(
    width: int, *, heads: int, spec: Mapping[str, Any], grid: tuple[int, int, int] | None = None
) -> nn.Module:
    """A mixer from `{"name": …, option: value …}`.

    `heads` is the network's own: mixers without heads do not get it, and a `heads` in the spec wins. Where the network
    knows its token grid, a mixer with sizes that must fit it (`check_grid`) is asked now rather than at the first clip.
    Raises ModelError for a missing name and for options that the mixer does not have.
    """
    if "name" not in spec:
        raise ModelError(f"a mixer needs a name, got {dict(spec)}. Known: {', '.join(sorted(MIXERS))}")
    name = spec["name"]
    known = mixer_options(name)
    options = {key: value for key, value in spec.items() if key != "name"}
    if unknown := sorted(options.keys() - set(known)):
        raise ModelError(f"mixer {name!r} has no option {', '.join(unknown)}. It has: {', '.join(known) or 'none'}")
    if "heads" in known:
        options = {"heads": heads, **options}
    mixer = mixer_class(name)(width, **options)
    check_grid = getattr(mixer, "check_grid", None)
    if grid is not None and check_grid is not None:
        check_grid(grid)
    return mixer
