# SPDX-License-Identifier: MIT
# For 64-bit ARM, built elsewhere by Debian's cross compiler and tested under
# qemu's emulation of a process: cmake --preset aarch64.  `make deps-cross`
# installs the compiler, the emulator and, in the second of these folders,
# jsmn and cmocka for that processor.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

set(CMAKE_FIND_ROOT_PATH
    /usr/aarch64-linux-gnu /usr/local/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64 -L /usr/aarch64-linux-gnu)
