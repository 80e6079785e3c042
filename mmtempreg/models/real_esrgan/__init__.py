"""Weights for MMagic's RRDBNet: Real-ESRGAN's, and RealSR's."""
