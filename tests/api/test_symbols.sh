#!/bin/sh
# The library exports what the public headers declare, and nothing else: test_symbols.sh LIBRARY INCLUDE_FOLDER
set -eu
library=$1
headers=$2
command -v nm > /dev/null || { echo "skipped: nm (binutils) is not here"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case $(uname) in
Darwin) nm -gU "$library" | awk '{ print $3 }' | sed 's/^_//' ;;
*) nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' ;;
esac | grep -v -x -e '_init' -e '_fini' -e '__bss_start' -e '_edata' -e '_end' | sort -u > "$work/exported"
# A declaration begins with OCLM_API; the name stands before the first bracket.
sed -n 's/^OCLM_API [^(]*[ *]\(oclm_[a-z_0-9]*\)(.*/\1/p' "$headers"/*.h | sort -u > "$work/declared"
test "$(wc -l < "$work/declared")" -gt 40 || { echo "only $(wc -l < "$work/declared") declarations were found in $headers"; exit 1; }
if ! diff "$work/declared" "$work/exported"; then
    echo "< declared in the headers; > exported by $library"
    exit 1
fi
echo "$(wc -l < "$work/exported") symbols, all of them declared"
