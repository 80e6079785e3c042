import gc
import os
import sys

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # with which tests write what others have written
# On two cores; of this process and of those that it starts: more threads than cores are slower than one.
os.environ["OMP_NUM_THREADS"] = str(max(1, 2 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))

import cv2
import mmengine.config.config
import mmengine.registry
import pytest
import torch

import mmtempreg  # noqa: F401, before MMagic is imported

# The texts of configs are left as they are: yapf takes up to half a second for each, and a training has three.
mmengine.config.config.FormatCode = lambda text, **style: (text, True)

# A fork would wait for OpenCV's threads, which do not come along: they end before it, whoever has asked for some.
os.register_at_fork(before=lambda: cv2.setNumThreads(1))


@pytest.fixture(autouse=True)
def _what_is_imported_stays(imported=[0]):
    """MMEngine collects garbage whenever it loads a dataset, and need not go through a million objects of modules."""
    if len(sys.modules) > imported[0] + 100:
        gc.collect()
        gc.freeze()
        imported[0] = len(sys.modules)


@pytest.fixture(autouse=True)
def _mmagic_scope():
    """Names are looked up as in a config with `default_scope = 'mmagic'`; draws do not depend on test order."""
    mmengine.registry.init_default_scope("mmagic")
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder with what `testing.stock_models.real_images` writes; read only."""
    from testing.stock_models import real_images

    folder = tmp_path_factory.mktemp("images")
    real_images(folder)
    return folder
