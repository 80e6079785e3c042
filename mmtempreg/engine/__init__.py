"""Hooks that MMEngine lacks."""

from .strict_load_hook import StrictLoadHook

__all__ = ["StrictLoadHook"]
