#!/bin/sh
# Installs the build into a temporary folder, then builds a sample against it by pkg-config and by find_package, and runs the command.
# usage: test_install.sh BUILD_DIR SOURCE_DIR
set -eu
build=${1:?} source=${2:?}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake --install "$build" --prefix "$tmp/usr" >/dev/null
libdir=$(dirname "$(find "$tmp/usr" -name oclm.pc)")/..
"$tmp/usr/bin/oclm" --version

PKG_CONFIG_PATH=$libdir/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror "$source/samples/generate.c" -o "$tmp/by_pkg_config" $(pkg-config --cflags --libs oclm)
LD_LIBRARY_PATH=$libdir "$tmp/by_pkg_config" "$source/samples/models/stories" "Once upon a time" >"$tmp/out"
[ -s "$tmp/out" ] || { echo "the sample built by pkg-config printed nothing"; exit 1; }

mkdir "$tmp/project"
cp "$source/samples/generate.c" "$tmp/project/"
cat >"$tmp/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(user LANGUAGES C)
find_package(oclm 0.1 REQUIRED)
add_executable(user generate.c)
target_link_libraries(user PRIVATE oclm::oclm)
END
cmake -S "$tmp/project" -B "$tmp/project/build" -DCMAKE_PREFIX_PATH="$tmp/usr" >/dev/null
cmake --build "$tmp/project/build" >/dev/null
"$tmp/project/build/user" "$source/samples/models/stories" "Once upon a time" >"$tmp/out2"
cmp "$tmp/out" "$tmp/out2"
echo "installed, found by pkg-config and by find_package"
