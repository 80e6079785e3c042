"""Help and a mistake are answered at once: before torch is imported, which takes seconds."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mmtempreg.meters import METERS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tools").rglob("*.py"))
MODULES = sorted(
    f"{folder}.{path.stem}"
    for folder in ("benchmarks", "experiments")
    for path in (ROOT / folder).glob("*.py")
    if "__main__" in path.read_text()
)
SLOW = [
    *("torch", "torchvision", "mmengine", "mmcv", "numpy", "cv2", "av", "matplotlib", "scipy", "skimage"),
    *("yaml", "tqdm", "rich"),
]

IN_ONE_PROCESS = """
import contextlib, functools, io, json, os, runpy, sys
sys.path.insert(0, os.getcwd())
sys.modules.update(dict.fromkeys(json.loads(sys.argv[2])))  # their import fails
answers = {}
for tool in json.loads(sys.argv[1]):
    for argument in ("--help", "--no-such-option"):
        out = io.StringIO()
        sys.argv = [tool, argument]
        for name in [name for name in sys.modules if name.startswith(("benchmarks", "experiments"))]:
            del sys.modules[name]
        run = runpy.run_path if tool.endswith(".py") else functools.partial(runpy.run_module, alter_sys=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                run(tool, run_name="__main__")
                status = "went on"
            except SystemExit as stop:
                status = stop.code
            except Exception as error:
                status = repr(error)
        answers[f"{tool} {argument}"] = status, out.getvalue()
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    command = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(TOOLS + MODULES), json.dumps(SLOW)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_there_are_tools():
    assert len(TOOLS) >= 25
    assert len(MODULES) >= 20


@pytest.mark.parametrize("tool", TOOLS + MODULES)
def test_help_and_mistakes_import_nothing_slow(answers, tool):
    status, text = answers[f"{tool} --help"]
    assert status in (0, None), text[-500:]
    assert text.startswith("usage: ")
    status, text = answers[f"{tool} --no-such-option"]
    assert status == 2, text[-500:]
    assert "error: " in text.splitlines()[-1]


def test_the_help_of_measure_video_says_what_its_metrics_say():
    def about(meter):
        notes = [meter.better, *(["on request"] if not meter.default else [])]
        notes += ["needs a reference"] if meter.reference == "needed" else []
        return f"{meter.about} ({', '.join(notes)})"

    known = "".join(f"  {name:13}{about(meter)}\n" for name, meter in METERS.items())
    assert runpy.run_path(str(ROOT / "tools" / "measure_video.py"))["METRICS"] == f"metrics:\n{known}"
