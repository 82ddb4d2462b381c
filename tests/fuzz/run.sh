#!/bin/sh
# Builds the fuzz targets with clang's libFuzzer and sanitizers, and runs each on its own.
#
# usage: tests/fuzz/run.sh SECONDS [TARGET]...        such as: tests/fuzz/run.sh 300 tokenizer_file
# First inputs are those of corpus/TARGET; what is found new goes to build/fuzz/corpus/TARGET, findings to build/fuzz/findings.
# FUZZ_SEED (default 1): where libFuzzer's random numbers begin, so that a fresh clone's run can be repeated; 0: another each time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${1:?seconds for each target}
shift
command -v clang >/dev/null 2>&1 || { echo "skipped: clang is missing"; exit 0; }
cd "$root"
cmake --preset fuzz >/dev/null
all=$(cd "$here" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
failed=
for target in ${*:-$all}; do
    cmake --build --preset fuzz --target "fuzz_$target" -j"$(nproc)" >/dev/null
    mkdir -p "build/fuzz/corpus/$target" build/fuzz/findings
    dictionary=
    [ ! -e "$here/$target.dict" ] || dictionary="-dict=$here/$target.dict"
    echo "== $target, $seconds s"
    # shellcheck disable=SC2086
    "build/fuzz/tests/fuzz/fuzz_$target" -seed="${FUZZ_SEED:-1}" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -max_len=20000 -print_final_stats=1 $dictionary \
        -artifact_prefix="build/fuzz/findings/$target-" "build/fuzz/corpus/$target" "$here/corpus/$target" 2>&1 | tail -n 30 || true
    ! ls "build/fuzz/findings/$target-"* >/dev/null 2>&1 || failed="$failed $target"
done
[ -z "$failed" ] || {
    echo "findings in build/fuzz/findings:$failed"
    for finding in build/fuzz/findings/*; do # where only this output is kept, it is all there is to repeat them with
        echo "base64 -d > $(basename "$finding") <<EOF"
        head -c 8000 "$finding" | base64 -w 0
        echo
        echo EOF
    done
    exit 1
}
echo "no findings"
