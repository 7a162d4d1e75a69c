# SPDX-License-Identifier: MIT
"""What docs/python.md shows runs, and learns what it says."""

import os
import re
import subprocess
import sys
import unittest

from checks import main

PAGE = os.path.join(os.environ["ELMAN_SOURCE"], "docs", "python.md")


def script(place):
    """The page's code, as it stands: 0, for NumPy, or 1, for PyTorch."""
    with open(PAGE, encoding="utf-8") as file:
        found = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
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

    def test_torch(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("there is no PyTorch (make deps-torch)")
        self.assertRegex(run(script(1)), r"^loss \d\.\d+\n$")


if __name__ == "__main__":
    main()
