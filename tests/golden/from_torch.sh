#!/bin/sh
# SPDX-License-Identifier: MIT
# What PyTorch saved runs here as it does there.
set -eu

if [ -z "$ELMAN_PYTHON" ]; then
    echo 'skipped: there is no PyTorch (make deps-torch)'
    exit 77
fi
printf 'PK\003\004' >"$WORK/none.pt"
if "$ELMAN" convert "$WORK/none.pt" "$WORK/none.safetensors" 2>&1 |
    grep -q 'without libzip'; then
    echo 'skipped: this build is without libzip (make deps)'
    exit 77
fi
exec "$ELMAN_PYTHON" "$ELMAN_SOURCE/tests/golden/from_torch.py" \
    "$ELMAN" "$WORK"
