"""Hooks that MMEngine lacks."""

from .channels_last_hook import ChannelsLastHook

__all__ = ["ChannelsLastHook"]
