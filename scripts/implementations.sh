# implementations.sh: sourced by test.sh: the device tests on OpenCL implementations other than the default, each by itself.
# What cannot be had is skipped with a message.

# On one implementation: ICD (a folder, or a file), then ctest's choice of tests.
on_icd() {
    icd=$1
    shift
    OCL_ICD_VENDORS=$icd run_ctest release --parallel "$(jobs)" "$@"
}

# Intel's CPU runtime, from PyPI; false, having said so, where it cannot be had. $venv/vendors has it alone, $venv/beside with PoCL.
get_intel() {
    venv=$root/build/intel-opencl
    if [ ! -e "$venv/lib/libintelocl.so" ]; then
        need_packages python3-venv
        { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet intel-opencl-rt intel-cmplr-lib-rt; } >/dev/null 2>&1 ||
            { echo "skipped: Intel's CPU runtime could not be installed from PyPI"; return 1; }
    fi
    mkdir -p "$venv/vendors" "$venv/beside"
    echo "$venv/lib/libintelocl.so" >"$venv/vendors/intel.icd"
    cp "$venv/vendors/intel.icd" "$venv/beside"
    cp /etc/OpenCL/vendors/pocl*.icd "$venv/beside" 2>/dev/null || echo "PoCL is missing: Intel's runtime is alone"
}

# All that computes on a device.
test_intel() {
    get_intel || return 0
    LD_LIBRARY_PATH=$venv/lib on_icd "$venv/vendors" -L device || return 1
    # And beside PoCL: what is about several devices.
    LD_LIBRARY_PATH=$venv/lib on_icd "$venv/beside" -L several
}

get_rusticl() {
    need_packages mesa-opencl-icd
    icd=/etc/OpenCL/vendors/rusticl.icd
    [ -e $icd ] || { echo "skipped: this mesa-opencl-icd has no rusticl"; return 1; }
}

# Mesa's rusticl on llvmpipe, a software renderer: kernels and the smallest models.
test_rusticl() {
    get_rusticl || return 0
    RUSTICL_ENABLE=llvmpipe on_icd $icd -L tiny
}

# One model over unlike devices: PoCL's drivers, PoCL and Intel's runtime, PoCL and rusticl (a software renderer: the fewest).
test_several() {
    several=ok
    for icd in /etc/OpenCL/vendors/pocl*.icd; do
        [ ! -e "$icd" ] || POCL_DEVICES="pthread basic pthread basic" on_icd "$icd" -C several -L spread || several=
    done
    if get_intel; then
        POCL_DEVICES="pthread basic" LD_LIBRARY_PATH=$venv/lib on_icd "$venv/beside" -C several -L spread || several=
    fi
    if get_rusticl; then
        POCL_DEVICES="pthread basic" RUSTICL_ENABLE=llvmpipe on_icd /etc/OpenCL/vendors -C several -L few || several=
    fi
    [ -n "$several" ]
}

# oclgrind exits 0 when it finds errors: its log must be empty.
test_oclgrind() {
    need_packages oclgrind
    command -v oclgrind >/dev/null 2>&1 || { echo "skipped: no oclgrind"; return 0; }
    OCLM_BUILD=$root/build/release sh "$root/tests/oclgrind.sh"
}

# draw_seeds NAME [VARIABLE=VALUE...]: what seeds draw on one implementation, which must be what the first one drew.
draw_seeds() {
    drawn=$root/build/release/seeds.$1
    shift
    env "$@" OCLM_BUILD="$root/build/release" OCLM_CACHE_DIR="$root/build/release/test-cache" sh "$root/tests/seeds.sh" >"$drawn" || return 1
    [ -n "$first" ] || { first=$drawn; echo "drawn: $(basename "$drawn"), with which the others are compared"; return 0; }
    diff "$first" "$drawn" && echo "the same: $(grep -c '^==' "$drawn") texts of $(basename "$drawn")"
}

# The same seed gives the same tokens everywhere: on PoCL, on Intel's CPU runtime, on rusticl.
test_seeds() {
    first=
    for icd in /etc/OpenCL/vendors/pocl*.icd; do
        [ ! -e "$icd" ] || draw_seeds "$(basename "$icd" .icd)" OCL_ICD_VENDORS="$icd" || return 1
    done
    if get_intel; then
        draw_seeds intel OCL_ICD_VENDORS="$venv/vendors" LD_LIBRARY_PATH="$venv/lib" || return 1
    fi
    if get_rusticl; then
        draw_seeds rusticl OCL_ICD_VENDORS="$icd" RUSTICL_ENABLE=llvmpipe || return 1
    fi
}
