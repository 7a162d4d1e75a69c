#!/bin/sh
# SPDX-License-Identifier: MIT
# Our model files are PyTorch's state_dict, and the other way round.
set -eu

if [ -z "$ELMAN_PYTHON" ]; then
    echo 'skipped: there is no PyTorch (make deps-torch)'
    exit 77
fi
exec "$ELMAN_PYTHON" "$ELMAN_SOURCE/tests/golden/torch_roundtrip.py" \
    "$ELMAN" "$WORK"
