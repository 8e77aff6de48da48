"""Kinds of pictures of where a network looks. To add one: a file with a function that says `@register`, a line here.

A kind gets a `Scene`, a clip before a network, and gives `Shown` panels. It finds what it shows by what layers can do
(`attention_map`, `association`, `window_numbers`, `shares`, …), so that networks to come need nothing for it.
"""

from vidtok.infer.pictures import attention as attention
from vidtok.infer.pictures import context as context
from vidtok.infer.pictures import gradient as gradient
from vidtok.infer.pictures import query as query
from vidtok.infer.pictures import rollout as rollout
from vidtok.infer.pictures import super_tokens as super_tokens
from vidtok.infer.pictures import time as time
from vidtok.infer.pictures import tokens as tokens
from vidtok.infer.pictures import windows as windows
from vidtok.infer.pictures.scene import KINDS, WORDS, Ask, Point, Scene, Shown, ask_kinds

__all__ = ["KINDS", "WORDS", "Ask", "Point", "Scene", "Shown", "ask_kinds"]
