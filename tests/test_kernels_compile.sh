#!/bin/sh
# Every kernel file compiles on its own, with its default macros, by every compiler that is here: clang's strict OpenCL C 1.2 front end
# for 64 and 32 bits with all optional features off; Intel's ocloc for its GPUs, the kernels made
# for GPUs (*_lanes) without register spills; clang for AMD's.
# The kernels for GPUs that multiply by weights also with weights that are codes: 4 bits, 4 with minima in two levels, 6, a table, 8, float8.
# A kernel file whose header names another version of OpenCL C (-cl-std=) is for CPUs alone: the front end checks it.
# usage: test_kernels_compile.sh SOURCE_DIR
set -eu
cd "${1:?usage: test_kernels_compile.sh SOURCE_DIR}/cl"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 checked=0

# attempt LABEL COMMAND...
attempt() {
    label=$1
    shift
    checked=$((checked + 1))
    "$@" >"$tmp/log" 2>&1 || { echo "FAILED: $label"; head -n 25 "$tmp/log"; failed=$((failed + 1)); }
}

# The version a kernel file is written in.
version_of() { sed -n 's,^//.*-cl-std=\(CL[0-9.]*\).*,\1,p' "$1" | head -n 1; }

# Options of products by codes, one build a line; of few rows and of many, those of matmul_lanes.c.
codes='3 4 32 2 0
4 4 32 5 5
3 6 16 4 0
5 4 64 1 0
3 8 32 2 0
6 8 128 1 0'
each_codes() {
    echo "$codes" | while read -r code bits group scale minimum; do
        storage="-DSTORAGE=3 -DCODE=$code -DBITS=$bits -DGROUP=$group -DSCALE=$scale -DMINIMUM=$minimum"
        echo "matmul_lanes.cl $storage -DWG=128 -DVEC=8 -DUNROLL=8 -DGATED=1 -DNORM=1"
        echo "matmul_lanes.cl $storage -DWG=64 -DROWS=4 -DVEC=4 -DUNROLL=4 -DEXPERTS=1"
        echo "matmul_lanes_tile.cl $storage -DGATED=1"
    done
}
each_codes >"$tmp/codes"

clang=$(command -v clang-15 || command -v clang || true)
if [ -n "$clang" ]; then
    off='-all,+cl_khr_byte_addressable_store,+cl_khr_global_int32_base_atomics,+cl_khr_global_int32_extended_atomics,+cl_khr_local_int32_base_atomics,+cl_khr_local_int32_extended_atomics'
    atomics=',+__opencl_c_atomic_order_acq_rel,+__opencl_c_atomic_scope_device'
    for kernel in *.cl; do
        version=$(version_of "$kernel")
        features=$off${version:+$atomics}
        for target in spir64 spir; do
            attempt "$kernel for $target" "$clang" -x cl -cl-std="${version:-CL1.2}" -target $target -fsyntax-only -Xclang "-cl-ext=$features" \
                -Werror -Wall -Wextra -I . "$kernel"
        done
        # By one source for cores and for lanes (row_parts.h): the default is cores.
        ! grep -q '#include "\(row_parts\|filter\).h"' "$kernel" ||
            attempt "$kernel for lanes" "$clang" -x cl -cl-std=CL1.2 -target spir64 -fsyntax-only -Xclang "-cl-ext=$features" \
                -Werror -Wall -Wextra -DWG=128 -I . "$kernel"
    done
    while read -r kernel options; do
        attempt "$kernel $options" "$clang" -x cl -cl-std=CL1.2 -target spir64 -fsyntax-only -Xclang "-cl-ext=$off" -Werror -Wall -Wextra -I . \
            $options "$kernel"
    done <"$tmp/codes"
else
    echo "skipped: no clang"
fi

if command -v ocloc >/dev/null 2>&1; then
    for kernel in *.cl; do
        [ -z "$(version_of "$kernel")" ] || continue
        for gpu in skl tgllp acm-g10 pvc; do
            attempt "$kernel for Intel $gpu" ocloc compile -file "$kernel" -device $gpu -options "-cl-std=CL1.2 -I ." -out_dir "$tmp/ocloc"
            ! grep 'lanes.*spilled' "$tmp/log" || { echo "FAILED: $kernel for Intel $gpu spills registers"; failed=$((failed + 1)); }
        done
    done
    while read -r kernel options; do
        for gpu in skl pvc; do
            attempt "$kernel $options for Intel $gpu" ocloc compile -file "$kernel" -device $gpu -options "-cl-std=CL1.2 -I . $options" -out_dir "$tmp/ocloc"
            ! grep 'lanes.*spilled' "$tmp/log" || { echo "FAILED: $kernel $options for Intel $gpu spills registers"; failed=$((failed + 1)); }
        done
    done <"$tmp/codes"
else
    echo "skipped: no ocloc (Debian: intel-opencl-icd)"
fi

libclc=/usr/lib/clc/gfx906-amdgcn-mesa-mesa3d.bc
if [ -n "$clang" ] && [ -e $libclc ]; then
    for kernel in *.cl; do
        [ -z "$(version_of "$kernel")" ] || continue
        for gpu in gfx906 gfx1030; do
            attempt "$kernel for AMD $gpu" "$clang" -x cl -cl-std=CL1.2 -target amdgcn-mesa-mesa3d -mcpu=$gpu -nogpulib -Dcl_clang_storage_class_specifiers \
                -Xclang -mlink-builtin-bitcode -Xclang $libclc -O3 -S -I . -o "$tmp/k.s" "$kernel"
        done
    done
    while read -r kernel options; do
        attempt "$kernel $options for AMD" "$clang" -x cl -cl-std=CL1.2 -target amdgcn-mesa-mesa3d -mcpu=gfx1030 -nogpulib \
            -Dcl_clang_storage_class_specifiers -Xclang -mlink-builtin-bitcode -Xclang $libclc -O3 -S -I . -o "$tmp/k.s" $options "$kernel"
        ! grep -E '(ScratchSize|[sv]gpr_spill_count): *[1-9]' "$tmp/k.s" >"$tmp/log" ||
            { echo "FAILED: $kernel $options for AMD spills registers"; cat "$tmp/log"; failed=$((failed + 1)); }
    done <"$tmp/codes"
else
    echo "skipped: no clang for AMD (Debian: clang-15 libclc-15-dev)"
fi

echo "$checked compilations, $failed failed"
[ $checked -gt 0 ] || exit 77
[ $failed -eq 0 ]
