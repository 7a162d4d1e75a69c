# SPDX-License-Identifier: MIT
"""What the binding's tests share."""

import sys
import unittest

import numpy as np


def need_torch():
    """Ends the test as skipped where there is no PyTorch."""
    try:
        import torch
    except ImportError:
        print("skipped: there is no PyTorch (make deps-torch)")
        sys.exit(77)
    torch.set_num_threads(1)
    return torch


def close(test, ours, theirs, tolerance, what=""):
    """No element differs by more than tolerance times the largest one, or 1."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    test.assertEqual(ours.shape, theirs.shape, what)
    if ours.size == 0:
        return
    scale = max(1.0, float(np.abs(theirs).max()))
    worst = float(np.abs(ours - theirs).max()) / scale
    test.assertLessEqual(worst, tolerance, what)


def same(test, a, b, what=""):
    """The same numbers by their bits."""
    a, b = np.asarray(a), np.asarray(b)
    test.assertEqual((a.shape, a.dtype), (b.shape, b.dtype), what)
    test.assertEqual(a.tobytes(), b.tobytes(), what)


def make_text(path, lines, seed):
    """Sentences of few words, the same everywhere."""
    draw = np.random.RandomState(seed)
    words = (
        "time machine traveller laboratory garden evening morlock lamp door "
        "story"
    ).split()
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(lines):
            subject, thing = draw.choice(words, 2)
            verb = draw.choice(["saw", "left", "found", "heard", "followed"])
            file.write(f"the {subject} {verb} a {thing}.\n")


main = unittest.main
