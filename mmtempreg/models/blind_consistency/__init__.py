"""Blind video temporal consistency (Lai et al. 2018): the flow-trained rival, as a post-process of any video."""

from .blind_consistency_model import BlindConsistencyModel
from .blind_consistency_net import BlindConsistencyNet

__all__ = ["BlindConsistencyModel", "BlindConsistencyNet"]
