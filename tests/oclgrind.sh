#!/bin/sh
# Runs device tests under oclgrind, which finds bad accesses, races and uninitialised reads in kernels. It exits 0 when it finds some,
# so its log must be empty. Set by scripts/test.sh: OCLM_BUILD, the build folder.
set -eu
cd "$OCLM_BUILD"
log=$PWD/oclgrind.log
failed=0 run=0
# OCLM_TEST_QUICK: the smallest sizes of each table; interpreting kernels is a thousand times slower than running them.
export OCLM_TEST_QUICK=1 OCLM_CACHE_DIR="$PWD/oclgrind-cache" OCLM_DEVICE=
for test in tests/cl/cl_test_* tests/model/model_test_tiny_models tests/generation/generation_test_generate; do
    [ -f "$test" ] && [ -x "$test" ] || continue
    for checks in --data-races --uninitialized; do
        run=$((run + 1))
        rm -f "$log"
        status=0
        oclgrind $checks --check-api --max-errors 20 --log "$log" "$test" >oclgrind.out 2>&1 || status=$?
        if [ $status -ne 0 ] || [ -s "$log" ]; then
            echo "FAILED: oclgrind $checks $test (exit $status)"
            head -n 30 "$log" 2>/dev/null || true
            tail -n 20 oclgrind.out
            failed=$((failed + 1))
        fi
    done
done
echo "oclgrind: $run runs, $failed failed"
[ $run -gt 0 ] && [ $failed -eq 0 ]
