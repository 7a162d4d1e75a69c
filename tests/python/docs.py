# SPDX-License-Identifier: MIT
"""What docs/python.md and docs/dynamic.md show runs, and learns what they
say."""

import os
import re
import subprocess
import sys
import unittest

import elman
from checks import main, make_text

DOCS = os.path.join(os.environ["ELMAN_SOURCE"], "docs")


def scripts(page):
    """The page's code, as it stands: each block of it."""
    with open(os.path.join(DOCS, page), encoding="utf-8") as file:
        return re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)


def script(place):
    """That of docs/python.md: 0, for NumPy, or 1, for PyTorch."""
    found = scripts("python.md")
    assert len(found) == 2, len(found)
    return found[place]


def run(source):
    return subprocess.run(
        [sys.executable, "-c", source],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


class Page(unittest.TestCase):
    def test_numpy(self):
        said = run(script(0))
        self.assertLess(float(re.search(r"^loss (.*)$", said, re.M)[1]), 0.9)
        self.assertIn("(128, 1)\n", said)
        perplexity = re.search(r"^perplexity (.*)$", said, re.M)[1]
        self.assertLess(float(perplexity), 2.5)
        self.assertRegex(said, r"\nthe .{36}")

    def test_dynamic(self):
        make_text("book.txt", 100, 1)
        make_text("new.txt", 30, 2)
        elman.LanguageModel.train(
            "book.txt", output="model.safetensors", hidden=16, updates=20
        )
        (source,) = scripts("dynamic.md")
        bits, updates = run(source).split()
        still = elman.LanguageModel.load("model.safetensors")
        self.assertLess(
            float(bits), still.evaluate("new.txt").bits_per_char
        )
        tokens = still.evaluate("new.txt").tokens
        self.assertEqual(int(updates), tokens // 16)
        self.assertTrue(os.path.exists("learned.safetensors"))

    def test_torch(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("there is no PyTorch (make deps-torch)")
        self.assertRegex(run(script(1)), r"^loss \d\.\d+\n$")


if __name__ == "__main__":
    main()
