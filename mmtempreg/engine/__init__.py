"""Hooks and an optimiser wrapper that MMEngine lacks."""

from .acceleration_hook import AccelerationHook
from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .exact_resume_hook import ExactResumeHook
from .fastest_step_hook import FastestStepHook
from .finite_loss_hook import FiniteLossHook
from .norm_eval_hook import NormEvalHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .strict_load_hook import StrictLoadHook

__all__ = [
    "AccelerationHook",
    "BFloat16OptimWrapper",
    "ExactResumeHook",
    "FastestStepHook",
    "FiniteLossHook",
    "NormEvalHook",
    "SafeCheckpointHook",
    "StrictLoadHook",
]
