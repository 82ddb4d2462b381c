# system.sh: sourced by quickstart.sh and test.sh: which packages oclm needs, by each system's own names, and how it is built.
# Expects: $root, the repository.

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

debian_build="build-essential cmake pkg-config ocl-icd-opencl-dev opencl-headers libclblast-dev libcjson-dev libpcre2-dev libutf8proc-dev libcurl4-openssl-dev libssl-dev libedit-dev"
debian_run="pocl-opencl-icd"
debian_test="libcmocka-dev xz-utils python3 openssl"
fedora="gcc cmake make pkgconf-pkg-config ocl-icd-devel opencl-headers clblast-devel cjson-devel pcre2-devel utf8proc-devel libcurl-devel openssl-devel libedit-devel pocl libcmocka-devel xz"
arch="base-devel cmake ocl-icd opencl-headers clblast cjson pcre2 libutf8proc curl openssl libedit pocl cmocka xz"
brew="cmake pkg-config clblast cjson pcre2 utf8proc curl openssl@3 libedit cmocka xz"

missing_debian() {
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else fail "root is needed for: $*"
    fi
}

# install_debian PACKAGE...: says what is missing, installs just that; without network and with nothing missing it does nothing.
install_debian() {
    missing=$(missing_debian "$@")
    [ -n "$missing" ] || return 0
    say "Installing with apt-get: $missing"
    # An old list of packages may do; only where it does not is a new one fetched.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && return 0
    as_root apt-get update -qq || return 1
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# need_packages PACKAGE...: Debian's names. Elsewhere it names what to install with that system's own tool, and goes on:
# CMake says what is really missing.
need_packages() {
    if command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
        # A GPU's own driver makes PoCL unnecessary, but never hurts: oclm picks the GPU.
        install_debian "$@" || fail "could not install $(missing_debian "$@"): install them by hand, then run this again"
    elif command -v dnf >/dev/null 2>&1; then
        say "Fedora: if something is missing below: sudo dnf install $fedora"
    elif command -v pacman >/dev/null 2>&1; then
        say "Arch: if something is missing below: sudo pacman -S --needed $arch"
    elif [ "$(uname -s)" = Darwin ]; then
        say "macOS: if something is missing below: brew install $brew   (OpenCL itself comes with macOS)"
    else
        say "This system is not known here. Needed: a C11 compiler, CMake 3.16, pkg-config, an OpenCL loader with headers, CLBlast, cJSON, PCRE2, utf8proc, libcurl, OpenSSL 3, and for the tests cmocka"
    fi
}

jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# build PRESET [CMAKE OPTION...]: configures and builds build/PRESET, quietly.
build() {
    preset=$1
    shift
    say "Building build/$preset"
    (cd "$root" && cmake --preset "$preset" "$@" >"$root/build-$preset.log" 2>&1) ||
        { cat "$root/build-$preset.log" >&2; rm -f "$root/build-$preset.log"; fail "configuring failed: the lines above say what is missing"; }
    rm -f "$root/build-$preset.log"
    cmake --build "$root/build/$preset" --parallel "$(jobs)" -- -s || fail "the build failed"
}
