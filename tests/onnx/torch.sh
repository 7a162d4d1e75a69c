#!/bin/sh
# SPDX-License-Identifier: MIT
# What PyTorch exports as ONNX runs here as it does there.
# shellcheck source=tests/onnx/support/needs.sh
. "$ELMAN_SOURCE/tests/onnx/support/needs.sh"

needs_onnx
needs_torch
exec "$ELMAN_PYTHON" "$ELMAN_SOURCE/tests/onnx/from_export.py" \
    "$ELMAN" "$WORK"
