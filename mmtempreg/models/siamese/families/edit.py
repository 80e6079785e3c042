"""`BaseEditModel` and its kin."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmagic.models import BaseEditModel
from mmengine.model import BaseModel
from torch import Tensor

from ..training import SiameseTraining


class EditFamily(SiameseTraining):
    """`BaseEditModel`: `forward_train` predicts and gives the losses."""

    @classmethod
    def refusal(cls, kind: type[BaseModel]) -> str | None:
        """A training step of its own is refused, unless the model tells its `regression_target`."""
        own_step = kind.train_step is not BaseModel.train_step
        own_forward = kind.forward_train is not BaseEditModel.forward_train
        if own_step or (own_forward and not hasattr(kind, "regression_target")):
            return "its training step is its own, and the wrapper does not know where its prediction is made"
        return None

    def forward_tensor(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> Tensor:
        """The stock prediction."""
        return self._predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The stock losses and, if it is regularised, `loss_reg`."""
        with self._watching():
            losses = super().forward_train(inputs, data_samples, **kwargs)
        if self.regularizer is None:
            return losses
        return {**losses, "loss_reg": self._loss_reg(*self.regression_target(inputs, data_samples))}
