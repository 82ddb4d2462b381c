#!/bin/sh
# Every kernel file compiles on its own, with its default macros, by every compiler that is here: clang's strict OpenCL C 1.2 front end
# for 64 and 32 bits with all optional features off; Intel's ocloc for its GPUs, the kernels made
# for GPUs (*_lanes) without register spills; clang for AMD's.
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
else
    echo "skipped: no clang for AMD (Debian: clang-15 libclc-15-dev)"
fi

echo "$checked compilations, $failed failed"
[ $checked -gt 0 ] || exit 77
[ $failed -eq 0 ]
