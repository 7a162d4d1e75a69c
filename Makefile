# SPDX-License-Identifier: MIT
# A thin front to CMake's presets, for fingers.
#
#   make              the release build; the program is build/release/elman
#   make deps         installs what that needs (Debian); deps-onnx: what ONNX
#                     needs, and ONNX Runtime, to compare with; deps-torch:
#                     PyTorch, likewise; deps-peers: what `make bench` compares
#                     with
#   make deps-mpi     installs Open MPI, for training on many machines
#   make deps-cross   installs compiler and emulator for 64-bit ARM: then
#                     `make test` compares with it, and `cmake --preset
#                     aarch64` builds for it
#   make python       the wheel of the Python package, into build/python;
#                     deps-python: NumPy, and what builds and checks it
#   make demo         learns to write C from this project's own sources;
#                     TEXT=book.txt: to write as your book does
#   make test         builds and runs the tests
#   make exhaustive   the tests that take minutes
#   make long         the tests of long runs: killed a hundred times, on texts of
#                     4 GB
#   make lint         format, licence lines, floors, scripts
#   make fuzz         runs every fuzzer for FUZZ_SECONDS, JOBS at a time
#   make bench        the workloads of `elman bench` on elman and on the peers
#                     that are installed, in turn (the better part of an hour;
#                     BENCH_OPTIONS='--workloads Q4,T1 --rounds 3')
#   make install      into PREFIX, below DESTDIR; make uninstall: what that
#                     put there
#   make deb          Debian packages of the command, the library and what is
#                     needed to compile with it, into build/deb
#   make clean        removes build/

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 30
CTEST_OPTIONS ?=
TEXT ?=
BENCH_OPTIONS ?=
export DESTDIR FUZZ_SECONDS TEXT

PACKAGES := cmake ninja-build gcc g++ libc6-dev pkg-config binutils \
	libjsmn-dev libzip-dev libcmocka-dev clang libclang-rt-dev clang-format shellcheck \
	dpkg-dev file
ORT := onnxruntime-node@1.30.0
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# $(call configure,PRESET) and $(call build,PRESET,TARGET)
configure = @sh tools/configure.sh $(1)
build = cmake --build build/$(1) --parallel $(JOBS) --target $(2)

.PHONY: programs deps deps-torch deps-onnx deps-peers deps-mpi deps-cross deps-python python \
	demo test exhaustive long lint fuzz bench install uninstall deb clean
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

# The package of node carries ONNX Runtime; its script would fetch what a GPU
# needs.
deps-onnx:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends \
		protobuf-c-compiler libprotobuf-c-dev libonnx-dev
	command -v npm >/dev/null || \
		$(SUDO) apt-get install --yes --no-install-recommends nodejs npm
	mkdir -p build/peers
	npm install --prefix build/peers --ignore-scripts --no-audit --no-fund \
		$(ORT)

deps-peers: deps-torch deps-onnx
	$(SUDO) apt-get install --yes --no-install-recommends libdnnl-dev

deps-mpi:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends libopenmpi-dev \
		openmpi-bin

deps-cross:
	@sh tools/deps-cross.sh

deps-python:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends python3 \
		python3-numpy python3-pip python3-setuptools python3-wheel \
		python3-venv mypy

# A wheel goes to machines that may lack libzip or protobuf-c, and has no use
# for them.
python:
	cmake -S . -B build/python/library -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DBUILD_TESTING=OFF -DELMAN_LIBZIP=OFF -DELMAN_ONNX=OFF >/dev/null
	cmake --build build/python/library --parallel $(JOBS) \
		--target elman_shared
	@sh tools/python-wheel.sh build/python/library build/python

demo: programs
	@sh tools/demo.sh "$$TEXT"

test:
	$(call configure,release)
	$(call build,release,all)
	@sh tools/test.sh build/release $(CTEST_OPTIONS)

long:
	$(call configure,release)
	$(call build,release,all)
	@sh tools/test.sh build/release -C long -L long

exhaustive:
	$(call configure,release)
	$(call build,release,exhaustive)

lint:
	@sh tools/lint.sh

fuzz:
	$(call configure,fuzz)
	$(call build,fuzz,fuzzers)
	@JOBS=$(JOBS) sh tools/fuzz.sh build/fuzz

bench: programs
	@python3 bench/peers/run.py --out build/peers/bench.tsv \
		--svg build/peers/bench.svg $(BENCH_OPTIONS)

install: programs
	cmake --install build/release --prefix "$(PREFIX)"

uninstall:
	@sh tools/uninstall.sh build/release/install_manifest.txt

deb:
	$(call configure,deb)
	$(call build,deb,programs)
	cpack --config build/deb/CPackConfig.cmake -B build/deb

clean:
	rm -rf build
