# SPDX-License-Identifier: MIT
"""Python's threads: the interpreter goes on while the library computes, and
several threads may use one network."""

import threading
import time
import unittest

import numpy as np

import elman
from checks import main, same

DRAW = np.random.RandomState(0)


def in_threads(count, work):
    """Calls work(0) ... work(count - 1) at once, and raises what they raise."""
    errors = []
    gate = threading.Barrier(count)

    def run(i):
        try:
            gate.wait()
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Threads(unittest.TestCase):
    def longest_stop(self, call):
        """How long the call took, and how long at most this thread stood still
        meanwhile, while it counted."""
        times = []

        def work():
            times.append(time.monotonic())
            call()
            times.append(time.monotonic())

        thread = threading.Thread(target=work)
        counted, stop, last = 0, 0.0, time.monotonic()
        thread.start()
        while thread.is_alive():
            counted += 1
            now = time.monotonic()
            stop, last = max(stop, now - last), now
        stop = max(stop, time.monotonic() - last)
        thread.join()
        return times[1] - times[0], stop, counted

    def goes_on(self, call):
        # A machine that is busy with other things may need another try.
        for _ in range(5):
            took, stop, counted = self.longest_stop(call)
            if stop < took / 2 and counted > 1000:
                return
        self.fail(f"of {took} s Python stood still for {stop} s")

    def test_the_interpreter_goes_on(self):
        rnn = elman.LSTM(64, 192)
        x = DRAW.standard_normal((600, 16, 64)).astype(np.float32)
        y, _ = rnn(x)
        self.goes_on(lambda: rnn(x))

        def there_and_back():
            rnn(x[:200])
            rnn.backward(y[:200])

        self.goes_on(there_and_back)

    def test_it_stands_still_where_the_lock_is_held(self):
        """That is, the test above can fail."""
        import ctypes

        sleep = ctypes.PyDLL(None).usleep
        took, stop, _ = self.longest_stop(lambda: sleep(300000))
        self.assertGreater(stop, took / 2)

    def test_one_network_for_all(self):
        for threads in (1, 2):
            rnn = elman.LSTM(8, 32, 2, threads=threads)
            x = DRAW.standard_normal((40, 4, 8)).astype(np.float32)
            y, (h, c) = rnn(x)
            rnn.eval()

            def work(i, rnn=rnn, x=x, y=y, h=h, c=c):
                state = rnn.state(4)
                for turn in range(20):
                    n = 1 + (i * 7 + turn * 3) % 40
                    z, _ = rnn(x[:n], record=bool(turn % 2))
                    same(self, z, y[:n])
                    state.zero()
                    same(self, rnn.steps(x, state), y)
                    same(self, state.c, c)

            in_threads(4, work)

    def test_each_goes_back_through_its_own_call(self):
        rnn = elman.GRU(8, 16)
        xs = DRAW.standard_normal((4, 20, 3, 8)).astype(np.float32)
        wanted = []
        for x in xs:
            y, _ = rnn(x)
            wanted.append(rnn.backward(y)[0])
        called = threading.Barrier(4)
        lock = threading.Lock()

        def work(i):
            y, _ = rnn(xs[i])
            called.wait()
            with lock:  # gradients of the weights are one block
                dx, _ = rnn.backward(y)
            same(self, dx, wanted[i])

        in_threads(4, work)

    def test_each_has_its_own_sentence(self):
        def work(i):
            for _ in range(200):
                with self.assertRaises(elman.InvalidError) as caught:
                    elman.LSTM(3, 10 + i, proj_size=20 + i)
                self.assertIn(f"proj is {20 + i} ", str(caught.exception))

        in_threads(4, work)

    def test_threads_change_no_bit(self):
        x = DRAW.standard_normal((30, 8, 16)).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            rnn = elman.LSTM(16, 64, 2, seed=1, threads=threads)
            y, _ = rnn(x)
            dx, _ = rnn.backward(y)
            results.append([y, dx, *rnn.grad_dict().values()])
        for other in results[1:]:
            for a, b in zip(other, results[0]):
                same(self, a, b)
        before = elman.get_num_threads()
        elman.set_num_threads(2)
        self.assertEqual(elman.machine()["threads"], 2)
        elman.set_num_threads(before)
        with self.assertRaises(ValueError):
            elman.set_num_threads(-2)
        self.assertEqual(elman.get_num_threads(), before)


if __name__ == "__main__":
    main()
