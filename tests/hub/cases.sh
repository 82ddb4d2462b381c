#!/bin/sh
# Runs numbered cases of the hub against the built command; skipped where python3 is missing.
# usage: cases.sh OCLM [OPTION...] [MODULE...]     see run_cases.py
set -eu
oclm=${1:?usage: cases.sh OCLM [MODULE...]}
shift
command -v python3 >/dev/null 2>&1 || { echo "skipped: the loopback hub needs python3, which is missing"; exit 77; }
exec python3 -B "$(dirname "$0")/run_cases.py" --oclm "$oclm" "$@"
