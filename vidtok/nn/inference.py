"""Layers as they are for inference: the same numbers, to rounding, by less work.

    batch norm behind a convolution or a linear layer, before a linear layer    gone into its weights
    x + depth-wise convolution, layer scale                                     gone into its weights
    table of relative positions                                                 expanded once
    dropout, stochastic depth                                                   gone

A layer that can do better than its parts has a method `inference_form(*, fused) -> nn.Module`, which is called on a
copy of it in evaluation state, may take it apart, and gives what stands in its place. Other layers keep their class and
get their parts replaced, and in an `nn.Sequential` each norm of a grid behind a convolution or a linear layer is folded
(other norms: `vidtok.nn.flow`). What cannot be folded stays: a norm between an activation and a convolution with zero
padding, whose zeros it would move.
"""

from typing import Protocol, runtime_checkable

from torch import nn

from vidtok.nn.conv import AddedDepthwise, GridBatchNorm, GridConv
from vidtok.nn.drop_path import DropPath
from vidtok.nn.folded import (
    Activation,
    FoldedConv,
    FoldedLinear,
    activation_of,
    affine_of,
    fold_behind,
    fold_conv,
    fold_residual,
)
from vidtok.nn.onednn import FusedConv, FusedLinear


@runtime_checkable
class HasForm(Protocol):
    """A layer that says what it is for inference."""

    def inference_form(self, *, fused: bool) -> nn.Module:
        """What stands in the layer's place; the layer, a copy in evaluation state, may be taken apart for it."""
        ...


def inference_layer(module: nn.Module, *, fused: bool) -> nn.Module:
    """The form of a layer, of which the caller has a copy in evaluation state to give away.

    `fused`: with activations and sums inside of products, by `vidtok.nn.onednn`.
    """
    if isinstance(module, HasForm):
        return module.inference_form(fused=fused)
    if isinstance(module, GridConv):
        return conv_form(module, fused=fused)
    if isinstance(module, AddedDepthwise):
        return conv_form(fold_residual(module.conv), fused=fused)
    if isinstance(module, nn.Dropout | DropPath):
        return nn.Identity()
    return with_forms(module, fused=fused)


def with_forms(module: nn.Module, *, fused: bool) -> nn.Module:
    """The layer itself with its parts replaced by their forms, in place."""
    if isinstance(module, nn.Sequential):
        _fold_sequence(module, fused=fused)
    for name, part in list(module.named_children()):
        setattr(module, name, inference_layer(part, fused=fused))
    return module


def _fold_sequence(layers: nn.Sequential, *, fused: bool) -> None:
    """Fold norms of grids and activations into what stands before them, each leaving an Identity in its place."""
    for place in range(1, len(layers)):
        before, norm = layers[place - 1], layers[place]
        if not isinstance(norm, GridBatchNorm) or norm.norm.running_mean is None:
            continue
        if isinstance(before, nn.Linear):
            layers[place - 1] = fold_behind(before, affine_of(norm))
        elif isinstance(before, GridConv):
            fold_conv(before, affine_of(norm))
        else:
            continue
        layers[place] = nn.Identity()
    for place, layer in enumerate(layers):
        if not isinstance(layer, GridConv):
            continue
        behind = place + 1
        while behind < len(layers) and type(layers[behind]) is nn.Identity:
            behind += 1
        activation = activation_of(layers[behind]) if behind < len(layers) else None
        layers[place] = conv_form(layer, activation=activation or "none", fused=fused)
        if activation is not None:
            layers[behind] = nn.Identity()


def conv_form(conv: GridConv, *, activation: Activation = "none", fused: bool) -> FoldedConv:
    """A convolution on the grid with an activation behind it."""
    return FusedConv(conv, activation=activation) if fused else FoldedConv(conv, activation=activation)


def linear_form(layer: nn.Linear, *, activation: Activation = "none", fused: bool) -> FoldedLinear | FusedLinear:
    """A linear layer with an activation behind it, or a sum."""
    return FusedLinear(layer, activation=activation) if fused else FoldedLinear(layer, activation=activation)
