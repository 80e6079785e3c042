"""Tests for whether half precision is worth its while on a device."""

from __future__ import annotations

import torch


def slow_bfloat16(device: str) -> str | None:
    """The reason, for a message, why bfloat16 would be slower than float32 on a device; None: it is not.

    Args:
        device: Type of the device, 'cpu' or 'cuda'.
    """
    if device == "cuda":
        name = torch.cuda.get_device_name()
        return None if torch.cuda.get_device_capability() >= (8, 0) else f"{name} has no bfloat16 of its own"
    if device != "cpu" or native_bfloat16():
        return None
    return (
        "this processor has no bfloat16 of its own (AVX-512 BF16, AMX), and would imitate it at 2 to 18 times the time "
        "of float32"
    )


def native_bfloat16() -> bool:
    """True if the processor multiplies in bfloat16 by itself."""
    if not (torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    # of x86 that says no more than that there is AVX-512; torch before 2.5 knows no better
    better = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return better is None or "AVX" not in torch.backends.cpu.get_cpu_capability() or better()
