"""Weights for MMagic's Real-ESRGAN."""
