#!/bin/sh
# Runs the tests that need no device under valgrind; any error or leak fails.
# Set by scripts/test.sh: OCLM_BUILD, the build folder.
set -eu
cd "$OCLM_BUILD"
failed=0 run=0
for test in tests/core/core_test_* tests/hub/hub_test_* tests/checkpoint/checkpoint_test_* tests/tokenizer/tokenizer_test_* \
    tests/generation/generation_test_config* tests/generation/generation_test_lookup tests/generation/generation_test_stop_strings; do
    [ -f "$test" ] && [ -x "$test" ] || continue
    run=$((run + 1))
    # Exhaustive loops are cut short: OCLM_TEST_QUICK. PCRE2's machine code reads whole vectors, past a text's end too: OCLM_NO_REGEX_JIT.
    if ! OCLM_TEST_QUICK=1 OCLM_NO_REGEX_JIT=1 valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect "$test" >valgrind.log 2>&1; then
        echo "FAILED: $test"
        tail -n 40 valgrind.log
        failed=$((failed + 1))
    fi
done
echo "valgrind: $run test programs, $failed failed"
[ $run -ge 3 ] && [ $failed -eq 0 ]
