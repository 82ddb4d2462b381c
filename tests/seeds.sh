#!/bin/sh
# Prints what seeds draw on the device there is, alone and several at once: the same text on every OpenCL implementation, which
# scripts/implementations.sh compares. Set by it: OCLM_BUILD, the build folder.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
prompts=$(mktemp)
trap 'rm -f "$prompts" "$prompts.drawn"' EXIT
printf '%s\n' "Once upon a time" "The little fox" "One day, a girl named Lily went" >"$prompts"

# draw OPTION...
draw() {
    echo "== $*"
    "$OCLM_BUILD/runtime/cli/oclm" generate "$source/samples/models/stories" --quiet --do-sample --max-new-tokens 24 --eos-token-id none "$@"
}

seed=0
while read -r settings; do
    seed=$((seed + 1))
    # shellcheck disable=SC2086
    draw "Once upon a time" --seed $seed $settings
done <<'END'
--top-k 0
--temperature 1.7
--temperature 0.7 --top-k 0 --top-p 0.9
--top-k 8
--top-k 0 --min-p 0.05
--top-k 0 --typical-p 0.8
--top-k 0 --epsilon-cutoff 0.01
--top-k 0 --eta-cutoff 0.01
--top-k 0 --top-h 0.5
--repetition-penalty 1.3 --no-repeat-ngram-size 2
--num-return-sequences 3
--num-beams 3
--prompt-lookup-num-tokens 4
--load-in-8bit
--load-in-4bit --bnb-4bit-quant-type nf4
--cache-implementation quantized
END
draw --prompts "$prompts" --seed 40 >"$prompts.drawn" # a batch
sed 1d "$prompts.drawn"
