"""What a kind of picture is asked, what it answers, and the table of kinds."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from vidtok.errors import ModelError
from vidtok.models.network import Network
from vidtok.nn.trace import Learned, Mixed, Place, layers_of

NOTHING = "shows nothing of this network"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a clip, in shares of what the network sees of it, 0 to 1: of its time, from the top, from the left."""

    time: float
    y: float
    x: float

    def on(self, grid: Place) -> Place:
        """Its time step, row and column."""
        at = [
            min(int(share * extent), extent - 1)
            for share, extent in zip((self.time, self.y, self.x), grid, strict=True)
        ]
        return at[0], at[1], at[2]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a picture is wanted of. Kinds that have no use for a part of it leave it aside."""

    point: Point | None = None
    """Whose attention; None: the class token's, or the mean over all tokens."""
    layer: int | Literal["all"] | None = None
    """Of those that the kind can show, counted from 1 in the order of use; None: the last one."""
    head: int | Literal["all"] | None = None
    """Counted from 1; None: their mean."""
    label: int | None = None
    """The class that is asked for; None: the best one."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A panel of a picture: a map for every time step, regions, or numbers over time, and in words what they say."""

    title: str
    place: str
    """The layer."""
    query: str
    """Whose look it is."""
    meaning: str
    """What a number says."""
    maps: Float[Tensor, "t h w"] | None = None
    regions: Int64[Tensor, "t h w"] | None = None
    """A number for each region, whose borders are drawn."""
    over_time: Float[Tensor, "t"] | None = None
    """A strip below the pictures."""
    point: Point | None = None
    """Where the one stands whose look it is."""

    def __post_init__(self):
        if self.maps is None and self.regions is None and self.over_time is None:
            raise ValueError(f"{self.title}: a panel shows a map, regions or numbers over time")

    @property
    def words(self) -> str:
        return f"{self.place}. Query: {self.query}. Shown: {self.meaning}"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One clip before a network, which is in evaluation state and without gradients."""

    network: Network
    clip: Float[Tensor, "1 f c y x"]
    """Normalised."""
    label: int
    """The class that is asked for."""
    label_name: str
    ask: Ask = field(default_factory=Ask)

    @property
    def class_words(self) -> str:
        """The class in words."""
        return self.label_name if self.label_name.startswith("the ") else f"the class {self.label_name}"

    @cached_property
    def _layers(self) -> tuple[list[Mixed], list[Learned]]:
        return layers_of(self.network, self.network.logits, self.clip)

    @property
    def mixers(self) -> Sequence[Mixed]:
        """The mixers in the order of use, those whose tokens have known places."""
        return self._layers[0]

    @property
    def learners(self) -> Sequence[Learned]:
        """The TokenLearners in the order of use."""
        return self._layers[1]

    @cached_property
    def attending_all(self) -> Sequence[Mixed]:
        """The mixers that have attention from token to token, those that look along time alone among them."""
        return [layer for layer in self.mixers if has_rows(layer)]

    @property
    def attending(self) -> Sequence[Mixed]:
        """Those of them whose maps hold a where."""
        return [layer for layer in self.attending_all if layer.says_where]

    def chosen(self, layers: Sequence[Mixed], *, kind: str) -> list[Mixed]:
        """Of the layers that a kind can show those that were asked for: the last one, a number, or all.

        Raises ModelError where there are none, and for a number beyond them.
        """
        if not layers:
            raise ModelError(f"{kind} {NOTHING}")
        if self.ask.layer == "all":
            return list(layers)
        if self.ask.layer is None:
            return [layers[-1]]
        if not 1 <= self.ask.layer <= len(layers):
            names = ", ".join(f"{number} {layer.path}" for number, layer in enumerate(layers, start=1))
            raise ModelError(f"`layer`={self.ask.layer}: {kind} has layers 1 to {len(layers)} here: {names}")
        return [layers[self.ask.layer - 1]]


Kind = Callable[[Scene], Sequence[Shown]]
KINDS: dict[str, Kind] = {}
WORDS: dict[str, str] = {}


def register(name: str, *, words: str) -> Callable[[Kind], Kind]:
    """Enter a kind of picture under a name; the function comes back untouched. `words`: what it shows, in a line.

    It raises ModelError, with `NOTHING` in its words, for networks of which it shows nothing.
    """

    def enter(kind: Kind) -> Kind:
        if name in KINDS and KINDS[name] is not kind:
            raise ModelError(f"two kinds of pictures are called {name!r}")
        KINDS[name], WORDS[name] = kind, words
        return kind

    return enter


def kind_of(name: str) -> Kind:
    """The kind of this name; ModelError with the known ones where there is none."""
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ModelError(f"`kind`: there is no kind of picture {name!r}{hint} Known: all, {', '.join(KINDS)}")
    return KINDS[name]


def ask_kinds(scene: Scene, kinds: Sequence[str]) -> dict[str, Sequence[Shown]]:
    """What these kinds show of a clip; with `all` every kind that shows something of this network.

    Raises ModelError for a kind that does not, with those that do.
    """
    every = "all" in kinds
    found: dict[str, Sequence[Shown]] = {}
    for name in KINDS if every else dict.fromkeys(kinds):
        try:
            found[name] = kind_of(name)(scene)
        except ModelError as error:
            if NOTHING not in str(error):
                raise
            if not every:
                raise ModelError(f"{error}; of this one there are {', '.join(fitting(scene))}") from error
    if not found:
        raise ModelError("no kind of picture shows anything of this network")
    return found


def fitting(scene: Scene) -> list[str]:
    """The kinds that show something of the scene's network."""
    names = []
    for name, kind in KINDS.items():
        try:
            kind(scene)
        except ModelError:
            continue
        names.append(name)
    return names


def has_rows(layer: Mixed) -> bool:
    """Whether the mixer's map has a row for each token, `b heads q n`, and not one number for all, as additive ones."""
    first = torch.zeros(1, dtype=torch.long, device=layer.inputs.device)
    return layer.mixer.attention_map(layer.tokens, query=first)[0].dim() == 4


def layer_words(path: str, mixer: object) -> str:
    """A mixer by its path in the network and its class: `encoder.blocks.3.mixers.0 (MHSA)`."""
    return f"{path} ({type(mixer).__name__})"
