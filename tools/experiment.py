"""Experiments: the tools run one after another on a thread each, several at a time, and the table of their metrics."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent


def run(log: Path, *command: str) -> None:
    """Runs a tool on one thread; its output goes to `log`.

    Raises:
        RuntimeError: If it fails; with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
    with open(log, "w") as file:
        code = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=file, stderr=file
        ).returncode
    if code:
        raise RuntimeError(f"{' '.join(command)} failed, see {log}:\n" + "\n".join(log.read_text().splitlines()[-5:]))


def test(config: str, checkpoint: Path, folder: Path, *options: str) -> Path:
    """Tests a checkpoint with options of the config, if that is not done yet; gives the file of its metrics."""
    metrics = folder / "metrics.json"
    if not metrics.exists():
        partial = folder / "partial.json"
        command = ("tools/test.py", config, str(checkpoint), "--out", str(partial), "--work-dir", str(folder / "test"))
        run(folder / "test.log", *command, "--cfg-options", *options)
        partial.rename(metrics)
    return metrics


def run_all(rows: Mapping[str, Sequence[Callable[[], Path]]], jobs: int) -> dict[str, list[Path]]:
    """Runs what makes the files of metrics of each row, `jobs` at a time, seed by seed; with a progress bar."""
    with ThreadPoolExecutor(jobs) as pool:
        longest = max(map(len, rows.values()))
        in_order = [(name, runs[i]) for i in range(longest) for name, runs in rows.items() if i < len(runs)]
        futures = [(name, pool.submit(run)) for name, run in in_order]
        files: dict[str, list[Path]] = {name: [] for name in rows}
        for name, future in tqdm(futures, desc="runs", unit="run"):
            files[name].append(future.result())
    return files


def print_table(files: Mapping[str, Sequence[Path]], *options: str) -> None:
    """The Markdown table of the metrics, mean and spread of each row."""
    rows = [f"{name}={','.join(map(str, row))}" for name, row in files.items()]
    subprocess.run([sys.executable, str(ROOT / "tools/analysis_tools/metrics_table.py"), *options, *rows], check=True)
