"""Hooks that MMEngine lacks."""

from .exact_resume_hook import ExactResumeHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .strict_load_hook import StrictLoadHook

__all__ = ["ExactResumeHook", "SafeCheckpointHook", "StrictLoadHook"]
