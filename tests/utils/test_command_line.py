"""The last line of an error, names on a terminal, and files that cannot be written."""

import errno
import os
import pickle
import re
from urllib.error import URLError

import pytest
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset

from mmtempreg.utils.atomic_write import check_output, partial_path, remove_abandoned, replace_when_written
from mmtempreg.utils.command_line import one_line, one_line_for_mistakes, printable, say
from mmtempreg.utils.tables import print_table


class Failing(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise ValueError("a.png: it is cut off")


def of_worker(error):
    """What the process that trains is told of an error in a worker."""
    try:
        try:
            raise KeyError("what came before")
        except KeyError:
            raise error  # noqa: B904, as most do
    except Exception:
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(Exception) as caught:
        wrapped.reraise()
    assert len(str(caught.value)) > 300
    return one_line(caught.value)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a.png: it is cut off"), "a.png: it is cut off"),
        (FileNotFoundError("there is no image b.png"), "there is no image b.png"),
        (ValueError("one\ntwo: three"), "one two: three"),
        (AttributeError("'NoneType' has no 'ndim'"), "AttributeError: 'NoneType' has no 'ndim' (--debug shows where)"),
        (pickle.PicklingError("c.png"), "PicklingError: c.png (--debug shows where)"),
    ],
)
def test_an_error_in_a_worker_says_what_it_says_without_one(error, line):
    assert of_worker(error) == line
    assert one_line(error) == line


def test_a_worker_that_ends_says_what_helps():
    for text in ("(pid(s) 10203) exited unexpectedly", "(pid 77) is killed by signal: Killed."):
        assert re.search("DataLoader.*num_workers=0 shows where", one_line(RuntimeError(f"DataLoader worker {text}")))


def test_with_a_worker_of_torch():
    with pytest.raises(ValueError, match="Caught ValueError in DataLoader worker") as caught:
        list(DataLoader(Failing(), num_workers=1))
    assert one_line(caught.value) == "a.png: it is cut off"


def test_ctrl_c_that_others_take_for_a_failure_is_none():
    with pytest.raises(SystemExit, match="130"), one_line_for_mistakes():
        try:
            raise KeyboardInterrupt
        except:  # noqa: E722, as MMEngine does around yapf
            raise SyntaxError("Failed to format the config file")  # noqa: B904
    with pytest.raises(SystemExit, match="error: SyntaxError"), one_line_for_mistakes():
        raise SyntaxError


def test_without_a_network_a_file_can_be_named():
    line = one_line(URLError(OSError(-2, "Name or service not known")))
    assert re.match(r"cannot download: .*not known; a file on this machine .*load_from=FILE.*model.teacher=FILE", line)


def test_names_are_not_obeyed_by_a_terminal(capsys):
    name = "\x1b[31mred\x9b\udce9é日本\r"
    shown = r"\x1b[31mred\x9b\xe9é日本\r"
    assert printable(name) == shown
    say(name)
    print_table(["", name], [[name, "1"]])
    out = capsys.readouterr().out
    assert out.count(shown) == 3
    assert not {"\x1b", "\x9b", "\r"} & set(out)
    assert one_line(ValueError(name)) == shown.removesuffix(r"\r")


def test_a_full_disk_is_named(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"a\.txt cannot be written: No space left") as caught, replace_when_written(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="^mine$"), replace_when_written(path):
        raise OSError("mine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["n" * 200 + ".txt", "n" * 251 + ".txt", "é" * 125 + ".txt", "n" * 255])
def test_long_names_have_temporary_ones(tmp_path, name):
    path = tmp_path / name
    with replace_when_written(path) as partial:
        assert partial.suffix == path.suffix
        partial.write_text("all")
    assert path.read_text() == "all"
    left = partial_path(path).with_name(partial_path(path).name.replace(str(os.getpid()), str(2**22 + 1)))
    left.write_text("of a process that died")
    remove_abandoned(tmp_path, "another")
    assert left.exists()
    remove_abandoned(tmp_path, name)
    assert not left.exists()


def test_the_standard_output_is_no_file():
    with pytest.raises(ValueError, match="name a file or a folder instead of -"):
        check_output("-")
