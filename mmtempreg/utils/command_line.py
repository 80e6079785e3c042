"""Common parts of all command-line tools: options that are checked, and one line for a user's mistake."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.error import URLError

from annotated_types import Ge, Gt, Le, Lt

from .allocator import keep_freed_memory
from .claims import claimed_outputs, claimed_work_dir

MISTAKES = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
"""Errors that are raised with a message for the user."""


class Parser(argparse.ArgumentParser):
    """A parser whose help is the tool's docstring, and whose last line of an error begins with `error:`.

    Args:
        about: The docstring.
        overwrite: The tool has `--overwrite`, as all have that write files by the user's names.
        kwargs: Arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, about: str | None, overwrite: bool = False, **kwargs: Any) -> None:
        super().__init__(description=about, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)
        self.add_argument("--debug", action="store_true", help="show where in the code an error comes from")
        if overwrite:
            self.add_argument("--overwrite", action="store_true", help="replace what is written if it is there")

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"error: {printable(message)}\n")


def within(interval: str, kind: type = float) -> Callable[[str], Any]:
    """The `type` of an option that is a number.

    Args:
        interval: What it may be, as mathematics writes it: "[0, 1)", "(0, inf)".
        kind: float or int.
    """
    low, high = map(float, interval[1:-1].split(","))
    above = Ge(low) if interval[0] == "[" else Gt(low)
    below = Le(high) if interval[-1] == "]" else Lt(high)

    def parse(text: str) -> Any:
        from .validation import check_value  # which takes NumPy

        try:
            value: Any = kind(text)
        except ValueError:
            value = text
        try:
            check_value("it", value, Annotated[kind, above, below])
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return parse


WHOLE = within("[1, 1e9]", int)
COUNT = within("[0, inf)", int)
STOPS = within("[-50, 50]")
"""Exposure, as `validation.Stops`."""


REPORTS = (".html", ".png", ".pdf", ".svg")

PAGE_VIDEO = "video.mp4"
"""In the folder beside a report's page."""


def check_report(path: Path | None) -> None:
    """Raises ValueError if a report's name does not end like one."""
    if path is not None and path.suffix.lower() not in REPORTS:
        raise ValueError(f"{path}: a report ends in {', '.join(REPORTS)}")


_claims = ExitStack()


def claim(
    *files: str | Path | None,
    inputs: Iterable[str | Path | None] = (),
    folders: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Declares all that a tool writes and reads, before its work; what it writes is held until the tool ends.

    Args and errors are those of `claims.claimed_outputs`.
    """
    _claims.enter_context(claimed_outputs(files, folders, inputs=inputs, overwrite=overwrite))


def claim_work_dir(path: str | Path) -> None:
    """Declares a folder that the tool adds to, likewise (`claims.claimed_work_dir`)."""
    _claims.enter_context(claimed_work_dir(path))


def is_first_process(launcher: str | None) -> bool:
    """True for the one of several processes that writes. Launchers tell in the environment."""
    names = dict(pytorch="RANK", slurm="SLURM_PROCID", mpi="OMPI_COMM_WORLD_RANK")
    return os.environ.get(names.get(launcher or "none", "RANK"), "0") == "0"


class Results:
    """Writes results one by one: what fails is named when all have been tried, and the others stand."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, Exception]] = []

    def write(self, name: str | Path | None, function: Callable[[], None]) -> None:
        """Calls what writes one of them; None: it was not asked for."""
        if name is None:
            return
        try:
            function()
        except Exception as error:
            self._failures.append((str(name), error))

    def finish(self) -> None:
        """Raises the first error, which then names what was not written."""
        if not self._failures:
            return
        error = self._failures[0][1]
        names = ", ".join(name for name, _ in self._failures)
        add_note(error, f"not written: {names}; all else that was asked for is")
        raise error


def add_note(error: BaseException, note: str) -> None:
    """Adds a sentence to an error that `one_line` tells too: `BaseException.add_note`, which Python 3.10 lacks."""
    error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]


class Assignments(argparse.Action):
    """The `action` of options KEY=VALUE ...: their texts, which `openmmlab.configs.read_options` makes values of."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        for text in values:
            if "=" not in text:
                raise argparse.ArgumentError(self, f"{text!r} is not of the form KEY=VALUE")
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or ()), *values])


def numbers(count: int) -> Callable[[str], tuple[int, ...]]:
    """The `type` of so many whole numbers >= 0 between commas."""

    def parse(text: str) -> tuple[int, ...]:
        parts = text.split(",")
        if len(parts) != count or not all(part.strip().isdecimal() for part in parts):
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} whole numbers between commas")
        return tuple(map(int, parts))

    return parse


def named(text: str) -> tuple[str, str]:
    """The `type` of an argument NAME=PATH."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=PATH")
    return name, path


def distinct(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Arguments NAME=PATH as a dict.

    Raises:
        ValueError: If a name is given twice.
    """
    names = [name for name, _ in pairs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{repeated} is named twice: give each its own name, as NAME=PATH")
    return {printable(name): path for name, path in pairs}


def tell(notes: Iterable[str]) -> None:
    """Prints what a user should know, a line each."""
    for note in notes:
        print(printable(f"note: {note}"), file=sys.stderr)


def say(text: object) -> None:
    """Prints what a tool has found or written, with names as `printable` shows them."""
    print(printable(str(text)))


def printable(text: str) -> str:
    """Text that any file and terminal takes and none obeys: control characters and what is no UTF-8 as escapes."""
    shown = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else ascii(c)[1:-1] for c in shown)


def run(parser: Parser, work: Callable[[argparse.Namespace], None], terminate: bool = True) -> None:
    """Parses the command line and does the work; `terminate` as in `one_line_for_mistakes`."""
    args = parser.parse_args()
    keep_freed_memory()
    with one_line_for_mistakes(args.debug, terminate=terminate):
        work(args)


@contextmanager
def one_line_for_mistakes(
    debug: bool = False, log: Callable[[str], None] = lambda text: None, terminate: bool = True
) -> Iterator[None]:
    """Ends the program with `error: WHAT` as its last line if the block raises, and a status that is not 0.

    SIGTERM ends it as an error does, so that nothing half-written is left; Ctrl-C likewise, with what is kept.

    Args:
        debug: Let the traceback come through.
        log: Is told the traceback.
        terminate: Take SIGTERM as told above. Of several processes that wait for each other a signal has to end them as
            they are.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of files may be no UTF-8
    before = signal.signal(signal.SIGTERM, _terminated) if terminate else signal.getsignal(signal.SIGTERM)
    try:
        yield
    except KeyboardInterrupt as stop:
        sys.exit(f"\n{stop}" if str(stop) else 130)
    except BrokenPipeError:
        sys.exit(141)  # whoever read our output has closed it, as `head` does
    except Exception as error:
        if debug:
            raise
        if any(isinstance(cause, KeyboardInterrupt) for cause in _contexts(error)):
            sys.exit(130)  # what was interrupted took Ctrl-C for a failure of its own
        log(traceback.format_exc())
        close_progress_bars()
        sys.stdout.flush()
        sys.exit(f"error: {one_line(error)}")
    finally:
        _claims.close()
        signal.signal(signal.SIGTERM, before)


def _contexts(error: BaseException) -> Iterator[BaseException]:
    """An error, and those while whose handling it was raised."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__context__


def one_line(error: BaseException) -> str:
    """Message of an error in a line; with its class if it is not meant for a user."""
    name, text = _said(error)
    text = printable(" ".join(text.split())) or name
    text = text if len(text) <= 1000 else f"{text[:1000]} ..."
    text = text if isinstance(error, MISTAKES) else f"{name}: {text} (--debug shows where)"
    return "; ".join([text, *map(printable, getattr(error, "__notes__", ()))])


def _said(error: BaseException) -> tuple[str, str]:
    """Name and text of an error; of one in a worker of a data loader its own, out of the traceback that torch gives."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, URLError):
        return name, (
            f"cannot download: {error.reason}; a file on this machine can be named instead (load_from=FILE; of a "
            "teacher model.teacher=FILE too)"
        )
    if re.match(r"DataLoader worker \(pid", text):
        return name, (
            f"{text}: what loads the data was ended from outside, as for want of memory, or crashed; "
            "train_dataloader.num_workers=0 shows where"
        )
    if re.match(r"Caught \w+ in DataLoader worker", text):
        after = re.split(r"^  .*\n", text, flags=re.MULTILINE)[-1]  # the last line of the last frame
        name, _, text = after.strip().partition(": ")
    return name.rpartition(".")[2], text


def close_progress_bars() -> None:
    """Ends the lines of all progress bars that are shown: tqdm tells nowhere which there are."""
    tqdm = sys.modules.get("tqdm")
    for bar in list(getattr(getattr(tqdm, "tqdm", None), "_instances", ())):
        bar.close()


def _terminated(*_: Any) -> NoReturn:
    sys.exit(143)
