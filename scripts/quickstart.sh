#!/bin/sh
# From a fresh clone to the first generated text: installs what is missing, builds, shows the devices, generates.
# Safe to run again; needs no network once the packages are there.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/system.sh"

case ${1-} in
-h | --help) echo "usage: scripts/quickstart.sh"; exit 0 ;;
'') ;;
*) fail "unknown option $1; it takes none" ;;
esac

# shellcheck disable=SC2086
need_packages $debian_build $debian_run
build release -DOCLM_BUILD_TESTS=OFF

oclm=$root/build/release/runtime/cli/oclm
say "OpenCL devices (oclm devices)"
"$oclm" devices || fail "no usable OpenCL device: see above"
say "oclm generate samples/models/stories \"Once upon a time\""
"$oclm" generate "$root/samples/models/stories" "Once upon a time"
say "Next: $oclm generate MODEL \"...\"    (any model of a kind in oclm info --families, by its name on the Hugging Face Hub, or a folder); $oclm --help"
