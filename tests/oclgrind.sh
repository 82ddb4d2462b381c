#!/bin/sh
# Runs device tests under oclgrind, which finds bad accesses, races and uninitialised reads in kernels. It exits 0 when it finds some,
# so its log must be empty. Set by scripts/test.sh: OCLM_BUILD, the build folder.
#
# --uninitialized is for those tests alone that oclgrind 21.10 can follow (its src/plugins/Uninitialized.cpp, the same in 26.03):
# - Of a vector that is shuffled, element 11 counts as undefined, and an element that is undefined is looked up in front of the vector,
#   where it reports what it finds or crashes: Value::UndefValueVal (11) stands where -1 is meant. So kernels with vectors of 16 are left out.
# - A write from the host to a part of a buffer makes it forget the rest: the whole model is left out, and tests fill buffers by one write.
# test_draw, which draws thousands of tokens, would take minutes.
#
# test_layers is without --data-races: groups of one launch wait for each other there, by counters, which oclgrind does not take for an order.
set -eu
follows="embed mul_add pack random rope sample select_rows storage sum_order"

# check CHECKS TEST [ARGUMENT]: one run, in files of its own.
check() {
    name=$(basename "$2")${3:+-$3}$1
    status=0
    rm -f "$name.log"
    timeout 600 oclgrind "$1" --check-api --max-errors 20 --log "$name.log" "$2" ${3:+"$3"} >"$name.out" 2>&1 || status=$?
    if [ $status -ne 0 ] || [ -s "$name.log" ]; then
        echo "FAILED: oclgrind $1 $2 ${3:-} (exit $status)"
        head -n 30 "$name.log" 2>/dev/null || true
        tail -n 20 "$name.out"
        return 1
    fi
    echo "passed: oclgrind $1 $2 ${3:-}"
}

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
source=$(dirname "$(dirname "$self")")
cd "$OCLM_BUILD"
if [ $# -ge 2 ]; then
    check "$@"
    exit
fi
# OCLM_TEST_QUICK: the smallest sizes of each table; interpreting kernels is a thousand times slower than running them.
export OCLM_TEST_QUICK=1 OCLM_CACHE_DIR="$PWD/oclgrind-cache" OCLM_DEVICE=
for test in tests/cl/cl_test_* tests/generation/generation_test_processors tests/generation/generation_test_filters \
    tests/generation/generation_test_history tests/model/model_test_cache_reorder tests/model/model_test_tiny_models; do
    [ -f "$test" ] && [ -x "$test" ] || continue
    echo "--data-races $test"
    case " $follows " in
    *" ${test#tests/cl/cl_test_} "*) echo "--uninitialized $test" ;;
    esac
done >oclgrind.runs
echo "--check-api tests/model/model_test_layers" >>oclgrind.runs
# A tiny model of each family: the first of its folders.
last=
for folder in "$source"/tests/golden/families/*/; do
    name=$(basename "$folder")
    [ "${name%%-*}" = "$last" ] || echo "--data-races tests/model/model_test_families $name"
    last=${name%%-*}
done >>oclgrind.runs
[ -s oclgrind.runs ]
echo "oclgrind: $(wc -l <oclgrind.runs) runs"
xargs -L 1 -P "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" sh "$self" <oclgrind.runs
