"""Weights for SPAN."""
