#!/bin/sh
# SPDX-License-Identifier: MIT
# The wheel is built, is installed into an empty environment without a network,
# and works there by itself.
set -eu
unset ELMAN_LIBRARY PYTHONPATH

skip() {
    echo "skipped: $*"
    exit 77
}

[ -n "$ELMAN_NUMPY" ] || skip 'there is no NumPy (make deps-python)'
[ -z "$ELMAN_SANITIZE" ] ||
    skip 'a library with a sanitizer needs a program that has it'
for module in pip setuptools wheel venv ensurepip; do
    "$ELMAN_NUMPY" -c "import $module" 2>/dev/null ||
        skip "$ELMAN_NUMPY has no $module (make deps-python)"
done

before=$(find "$ELMAN_SOURCE/python" | sort)
PYTHON=$ELMAN_NUMPY sh "$ELMAN_SOURCE/tools/python-wheel.sh" "$ELMAN_BUILD" \
    "$WORK/dist"
[ "$(find "$ELMAN_SOURCE/python" | sort)" = "$before" ] || {
    echo 'FAILED: building left something beside the sources'
    exit 1
}
case $(echo "$WORK"/dist/*.whl) in
*/elman-*-py3-none-linux_*.whl) ;;
*)
    echo 'FAILED: the wheel has another name'
    exit 1
    ;;
esac

"$ELMAN_NUMPY" -m venv --system-site-packages "$WORK/venv"
"$WORK/venv/bin/pip" install --quiet --no-index --disable-pip-version-check \
    "$WORK"/dist/elman-*.whl
cd "$WORK"
"$WORK/venv/bin/python" - <<'END'
import os
import sys
from importlib import metadata

import numpy as np

import elman

assert elman.__file__.startswith(sys.prefix), elman.__file__
assert metadata.version("elman") == elman.__version__
files = [str(f) for f in metadata.files("elman")]
assert any(f.endswith("py.typed") for f in files), files
assert any(os.path.basename(f) == "LICENSE" for f in files), files
with open("/proc/self/maps", encoding="ascii") as maps:
    mapped = {line.split()[-1] for line in maps if "libelman" in line}
assert mapped == {os.path.join(os.path.dirname(elman.__file__), "libelman.so")}
rnn = elman.LSTM(3, 5, 2, bidirectional=True)
y, (h, c) = rnn(np.ones((6, 4, 3)))
assert y.shape == (6, 4, 10) and np.abs(y).max() > 0
dx, _ = rnn.backward(np.ones_like(y))
assert np.abs(dx).max() > 0
print("elman", elman.__version__, "from its wheel")
END
"$WORK/venv/bin/pip" uninstall --quiet --yes elman
if "$WORK/venv/bin/python" -c 'import elman' 2>/dev/null; then
    echo 'FAILED: something stays after it was uninstalled'
    exit 1
fi
