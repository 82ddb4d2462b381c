#!/bin/sh
# GGUF files of `oclm quantize` read by Python's gguf, the reader of the format's authors. Skipped where PyPI is out of reach.
# Set by scripts/test.sh: OCLM_BUILD, the build folder; the environment is kept in its parent.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${OCLM_BUILD:?the build folder}" && pwd)
command -v python3 >/dev/null 2>&1 || { echo "skipped: python3 is missing"; exit 0; }
venv=$build/../gguf-venv
if ! "$venv/bin/python" -c 'import gguf' 2>/dev/null; then
    rm -rf "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check gguf; } >/dev/null 2>&1 ||
        { rm -rf "$venv"; echo "skipped: PyPI is out of reach, or python3-venv is missing (gguf)"; exit 0; }
fi
exec "$venv/bin/python" -B "$here/read_by_gguf.py" "$build/runtime/cli/oclm"
