#!/bin/sh
# SPDX-License-Identifier: MIT
# deps-cross.sh - installs what the build for 64-bit ARM needs, on Debian:
# compiler and emulator from this machine's packages, and jsmn and cmocka from
# that architecture's, unpacked into the folder that
# cmake/aarch64-linux-gnu.cmake names.  The machine itself stays of one
# architecture: the other one's lists of packages are read into a folder of
# their own.  lld links for a Cortex-M4 what clang compiles for it;
# arm-none-eabi-gcc is used where it is, and is too large to be installed here.
set -eu

root=/usr/local/aarch64-linux-gnu
if [ "$(id -u)" -ne 0 ]; then
    exec sudo sh "$0" "$@"
fi

apt-get update
apt-get install --yes --no-install-recommends gcc-aarch64-linux-gnu \
    libc6-dev-arm64-cross qemu-user lld

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial"
# apt fetches as a user of its own.
chmod 755 "$work"
if id _apt >/dev/null 2>&1; then
    chown -R _apt "$work"
fi
cat >"$work/apt.conf" <<END
APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; };
Dir::State::lists "$work/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
APT_CONFIG=$work/apt.conf
export APT_CONFIG
apt-get update
cd "$work"
apt-get download libjsmn-dev libcmocka-dev:arm64 libcmocka0:arm64
mkdir -p "$root"
for package in ./*.deb; do
    dpkg-deb --extract "$package" "$root"
done
echo "jsmn and cmocka for arm64 are in $root"
