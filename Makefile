# SPDX-License-Identifier: MIT
# A thin front to CMake's presets, for fingers.
#
#   make              the release build; the program is build/release/elman
#   make deps         installs what that needs (Debian); deps-torch: PyTorch,
#                     which some tests compare with
#   make demo         learns to write C from this project's own sources;
#                     TEXT=book.txt: to write as your book does
#   make test         builds and runs the tests
#   make exhaustive   the tests that take minutes
#   make lint         format, licence lines, floors, scripts
#   make fuzz         runs every fuzzer for FUZZ_SECONDS
#   make bench        elman bench
#   make install      into PREFIX, below DESTDIR
#   make clean        removes build/

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 30
CTEST_OPTIONS ?=
TEXT ?=
export DESTDIR FUZZ_SECONDS TEXT

PACKAGES := cmake ninja-build gcc g++ libc6-dev pkg-config binutils \
	libjsmn-dev libcmocka-dev clang libclang-rt-dev clang-format shellcheck
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call configure,PRESET) and $(call build,PRESET,TARGET)
configure = @sh tools/configure.sh $(1)
build = cmake --build build/$(1) --parallel $(JOBS) --target $(2)

.PHONY: programs deps deps-torch demo test exhaustive lint fuzz bench install \
	clean
.NOTPARALLEL:

programs:
	$(call configure,release)
	$(call build,release,programs)

deps:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends $(PACKAGES)

deps-torch:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends python3-torch \
		libopenblas0-pthread

demo: programs
	@sh tools/demo.sh "$$TEXT"

test:
	$(call configure,release)
	$(call build,release,all)
	@sh tools/test.sh build/release $(CTEST_OPTIONS)

exhaustive:
	$(call configure,release)
	$(call build,release,exhaustive)

lint:
	@sh tools/lint.sh

fuzz:
	$(call configure,fuzz)
	$(call build,fuzz,fuzzers)
	@sh tools/fuzz.sh build/fuzz

bench: programs
	@build/release/elman bench

install: programs
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build
