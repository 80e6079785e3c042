"""`BaseEditModel` and its kin."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmagic.models import BaseEditModel
from mmagic.structures import DataSample
from mmengine.model import BaseModel
from torch import Tensor

from ..training import SiameseTraining


class EditFamily(SiameseTraining):
    """`BaseEditModel`: `forward_train` predicts and gives the losses."""

    teachable = takes_given = True

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
        return self.predict_both(partial(super().forward_tensor, data_samples=data_samples, **kwargs), inputs)

    def forward_train(self, inputs: Tensor, data_samples: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The stock losses and, if it is regularised, `loss_reg`."""
        if self.teacher:
            data_samples = self._with_taught_target(inputs, data_samples)
        with self.training_step(data_samples):
            losses = super().forward_train(inputs, data_samples, **kwargs)
        if self.regularizer is None:
            return losses
        return {**losses, "loss_reg": self.loss_reg(*self.regression_target(inputs, data_samples))}

    def regression_target(self, inputs: Tensor, data_samples: Any) -> tuple[Tensor, Tensor | None]:
        """As the model says; with a teacher, what that predicts."""
        target, weight = super().regression_target(inputs, data_samples)
        return (target if self.step.target is None else self.step.target), weight

    def _with_taught_target(self, inputs: Tensor, data_samples: Any) -> Any:
        """The data samples, stacked, for a step in which the teacher's prediction is the truth."""
        self.teach(lambda teacher, x, samples: teacher.forward_tensor(x, samples), inputs, data_samples)
        taught = DataSample()
        taught.set_metainfo(data_samples.metainfo)
        for name, value in data_samples.items():
            taught.set_data({name: value})
        if not hasattr(self.stock_class, "regression_target"):
            self._check_scale(inputs, data_samples.get("gt_img"))
            taught.gt_img = self.step.target  # where the stock loss looks
        elif "gt_img" not in taught:
            taught.gt_img = inputs  # where the model takes the weights of its loss from
        return taught

    def _check_scale(self, inputs: Tensor, truth: Tensor | None) -> None:
        """Raises ValueError if the data's pictures are of another scale than the teacher's prediction."""
        target = self.step.target
        if truth is None or target is None or truth.shape[-2:] == target.shape[-2:]:
            return
        sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (inputs, target, truth)]
        raise ValueError(
            f"the network makes {sizes[1]} of {sizes[0]}, and the data's truth is {sizes[2]}: give the pipeline "
            f"(PhotographTwice, TwoFrames) scale={target.shape[-1] / inputs.shape[-1]:g}"
        )
