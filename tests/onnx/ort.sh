#!/bin/sh
# SPDX-License-Identifier: MIT
# What elman writes as ONNX gives in ONNX Runtime what it gives here, and comes
# back the same.
# shellcheck source=tests/onnx/support/needs.sh
. "$ELMAN_SOURCE/tests/onnx/support/needs.sh"

needs_onnx
needs_runtime
exec node "$ELMAN_SOURCE/tests/onnx/ort.js" "$ELMAN" "$WORK"
