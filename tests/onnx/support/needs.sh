# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# needs.sh - what tests of ONNX need, or they are skipped.
set -eu

skip() {
    echo "skipped: $*"
    exit 77
}

# That this build has it.
needs_onnx() {
    printf 'x' >"$WORK/none.onnx"
    if "$ELMAN" convert "$WORK/none.onnx" "$WORK/none.safetensors" 2>&1 |
        grep -q 'without protobuf-c'; then
        skip 'this build is without protobuf-c (make deps-onnx)'
    fi
}

needs_runtime() {
    if ! command -v node >/dev/null ||
        [ ! -d "$ELMAN_SOURCE/build/peers/node_modules/onnxruntime-node" ]; then
        skip 'there is no ONNX Runtime for node (make deps-onnx)'
    fi
}

needs_torch() {
    [ -n "$ELMAN_PYTHON" ] || skip 'there is no PyTorch (make deps-torch)'
}
