#!/bin/sh
# oclm's tokenizer beside Hugging Face's. Skipped where PyPI is out of reach. Arguments are those of compare_with_reference.py.
# Set by scripts/test.sh: OCLM_BUILD, the build folder; the environment is kept in its parent.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${OCLM_BUILD:?the build folder}" && pwd)
version=0.23.3 # that the golden data was made with
command -v python3 >/dev/null 2>&1 || { echo "skipped: python3 is missing"; exit 0; }
venv=$build/../tokenizers-venv
if ! "$venv/bin/python" -c 'import tokenizers' 2>/dev/null; then
    rm -rf "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "tokenizers==$version"; } >/dev/null 2>&1 ||
        { rm -rf "$venv"; echo "skipped: PyPI is out of reach, or python3-venv is missing (tokenizers==$version)"; exit 0; }
fi
"$venv/bin/python" -B "$here/compare_components.py" --library "$build/liboclm.so" --count 200
"$venv/bin/python" -B "$here/compare_with_reference.py" --library "$build/liboclm.so" "$@"
