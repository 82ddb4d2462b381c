#!/bin/sh
# Runs every command of README.md's ```sh blocks, as they stand, from the top of the source folder. The two commands that build and
# test the house are left out here (they run this), as is what installs.
# usage: test_readme.sh BUILD_DIR SOURCE_DIR
set -eu
build=$(cd "${1:?}" && pwd)
cd "${2:?}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$build/runtime/cli:$PATH
export PATH OCLM_README_TMP="$tmp"

awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$tmp/commands"
run=0
while IFS= read -r line; do
    case $line in
    '' | '#'* | git\ clone* | cd\ * | scripts/* | cmake\ * | sudo\ *) continue ;;
    esac
    # Models of the hub need one: tests/hub/ runs them against a loopback hub.
    case $line in *gpt2*) continue ;; esac
    # Commands that need a model the reader has to fetch are written with this name; the tier with the real model runs them.
    case $line in *SmolLM2*) [ -n "${OCLM_REAL_MODELS-}" ] || continue ;; esac
    echo "\$ $line"
    sh -c "$line" </dev/null >"$tmp/out" 2>"$tmp/err" || { echo "FAILED ($?)"; cat "$tmp/out" "$tmp/err"; exit 1; }
    run=$((run + 1))
done <"$tmp/commands"
echo "$run commands of README.md work"
[ $run -ge 3 ]
