"""MMEngine's runner for tools that run it many times: what it has to say stands in its log files."""

from __future__ import annotations

import logging
import os
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner


def quiet_runner(config: Config, work_dir: str | Path, **options: Any) -> Runner:
    """A runner that prints nothing.

    Args:
        config: Of the run, which stays as it is.
        work_dir: Where its checkpoints and logs go.
        options: Other keys of the config, such as `resume`.
    """
    config = config.copy()
    # MMEngine keeps what it knows of a run by the name of the experiment
    name = f"{Path(work_dir).name}_{time.time_ns()}"
    config.merge_from_dict(dict(options, work_dir=str(work_dir), experiment_name=name))
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        runner = Runner.from_cfg(config)
    for handler in runner.logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.CRITICAL)
    return runner
