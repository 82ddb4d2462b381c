#!/bin/sh
# oclm and Python's huggingface_hub on one loopback hub and one cache. Skipped where PyPI is out of reach.
# Set by scripts/test.sh: OCLM_BUILD, the build folder; environments are kept in its parent. OCLM_HUB_VERSIONS: of huggingface_hub.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${OCLM_BUILD:?the build folder}" && pwd)
command -v python3 >/dev/null 2>&1 || { echo "skipped: python3 is missing"; exit 0; }
# The newest, and the last of the line that transformers 4 uses.
for version in ${OCLM_HUB_VERSIONS:-latest 0.36.0}; do
    venv=$build/../hub-venv-$version
    package=huggingface_hub
    [ "$version" = latest ] || package="huggingface_hub==$version"
    if ! "$venv/bin/python" -c 'import huggingface_hub' 2>/dev/null; then
        rm -rf "$venv"
        { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "$package"; } >/dev/null 2>&1 ||
            { rm -rf "$venv"; echo "skipped: PyPI is out of reach, or python3-venv is missing ($package)"; continue; }
    fi
    "$venv/bin/python" -B "$here/interop.py" --oclm "$build/runtime/cli/oclm" "$@"
done
