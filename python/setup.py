# SPDX-License-Identifier: MIT
"""The wheel: the package, and beside its modules the shared library.

ELMAN_LIBRARY names a library that was built; without it CMake builds one from
the sources that this folder lies in (or ELMAN_SOURCE names).  Since the package
itself has nothing to compile, one wheel serves every Python 3.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution
from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent
SOURCE = Path(os.environ.get("ELMAN_SOURCE") or HERE.parent)


def version():
    """The header is the only place that knows it."""
    header = (SOURCE / "include" / "elman.h").read_text()
    return ".".join(
        re.search(rf"^#define ELMAN_VERSION_{part} (\d+)", header, re.M)[1]
        for part in ("MAJOR", "MINOR", "PATCH")
    )


def build_library(folder):
    """By CMake, in a folder that goes with the rest of the build."""
    subprocess.run(
        [
            "cmake",
            "-S",
            str(SOURCE),
            "-B",
            str(folder),
            "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
            "-DBUILD_TESTING=OFF",
            "-DELMAN_LIBZIP=OFF",
        ],
        check=True,
    )
    subprocess.run(
        ["cmake", "--build", str(folder), "--target", "elman_shared"],
        check=True,
    )
    return folder / "libelman.so"


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        named = os.environ.get("ELMAN_LIBRARY")
        temporary = Path(self.get_finalized_command("build").build_temp)
        library = (
            Path(named) if named else build_library(temporary / "library")
        )
        target = Path(self.build_lib) / "elman" / "libelman.so"
        shutil.copyfile(library.resolve(), target)
        strip = shutil.which("strip")
        if strip:
            subprocess.run([strip, "--strip-debug", str(target)], check=True)


class Platform(Distribution):
    """Not for every machine, although nothing is compiled here."""

    def has_ext_modules(self):
        return True


class OneForAll(bdist_wheel):
    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


setup(
    version=version(),
    distclass=Platform,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": OneForAll},
)
