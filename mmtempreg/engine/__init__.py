"""Hooks that MMEngine lacks."""

from .channels_last_hook import ChannelsLastHook
from .strict_load_hook import StrictLoadHook

__all__ = ["ChannelsLastHook", "StrictLoadHook"]
