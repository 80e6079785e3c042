"""Work ahead of its use: order, errors, and an end at any time."""

import threading
import time

import pytest

from mmtempreg.utils.ahead import ahead


def test_items_come_in_order_and_only_so_many_early():
    made, threads = [], set()

    def numbers():
        for number in range(20):
            made.append(number)
            threads.add(threading.get_ident())
            yield number

    for number, item in enumerate(ahead(numbers(), 3)):
        assert item == number
        assert len(made) <= number + 4
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert list(ahead([], 3)) == []


def test_an_error_comes_where_the_item_would():
    def broken():
        yield 1
        yield 2
        raise ValueError("here")

    items = ahead(broken(), 5)
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(ValueError, match="here"):
        next(items)


def test_who_stops_early_does_not_wait_for_the_rest():
    made = []

    def endless():
        while True:
            made.append(1)
            time.sleep(0.002)
            yield 1

    items = ahead(endless(), 100)
    next(items)
    items.close()
    count = len(made)
    assert count < 50
    time.sleep(0.01)
    assert len(made) == count
