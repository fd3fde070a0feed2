"""The first signal is a request, the second interrupts, and other threads are left alone."""

import signal
import threading

import pytest

from intarsia.stopping import never, stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number):
    before = signal.getsignal(number)
    with stop_on_signals() as stopped:
        assert not stopped()
        signal.raise_signal(number)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_wait_at_once_and_no_step(number):
    done, left = [], []

    def slow():
        yield 1
        signal.raise_signal(number)
        left.append("the wait went on")
        yield 2

    with stop_on_signals() as stopped:
        for item in stopped.each(slow()):
            done.append(item)
        assert stopped()
    assert (done, left) == ([1], [])
    with stop_on_signals() as stopped:
        for item in stopped.each([1, 2, 3]):
            if item == 2:
                signal.raise_signal(number)
            done.append(item)
    assert done == [1, 1, 2]
    with stop_on_signals() as stopped:
        assert list(stopped.each([1, 2])) == [1, 2]
        assert not stopped()


def test_handlers_come_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="within"), stop_on_signals():
        raise ValueError("within")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_never_asked_to_stop():
    found = []

    def work():
        before = signal.getsignal(signal.SIGINT)
        with stop_on_signals() as stopped:
            found.append((stopped(), signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, True)]


def test_never():
    assert never() is False
