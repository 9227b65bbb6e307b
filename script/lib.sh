# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts: where things are, and what the machine must have.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${QAIR_BUILD:-$top/build}

# What builds and runs qair (docs/architecture.md gives each its reason).
packages_build="gcc libc6-dev meson ninja-build pkg-config libssl-dev
    libnghttp2-dev libtss2-dev libjansson-dev libsystemd-dev libseccomp-dev
    libsqlite3-dev libbsd-dev libcmocka-dev liblzma-dev libpam0g-dev"
packages_run="bubblewrap swtpm swtpm-tools"
# Independent tools that judge what qair made.
packages_check="minisign openssh-client jq openssl"
packages_test="tpm2-tools clang-14 clang-format-14 libclang-rt-14-dev git
    mandoc spin strace util-linux procps gzip python3"

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Installs what is missing; silent when nothing is.
need_packages() {
    local missing="" p sudo=""
    for p in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null |
            grep -qx installed || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        die "these Debian packages are needed:$missing"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "run as root, or install:$missing"
        sudo=sudo
    fi
    say "installing:$missing"
    $sudo apt-get update -qq >/dev/null ||
        say "apt-get update failed; trying with the lists at hand"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null ||
        die "could not install:$missing"
}

# build_qair DIR [MESON OPTION...]: configures once, builds $targets, or all.
build_qair() {
    local dir=$1
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" "$top" "$@" >"$dir.log" 2>&1 || {
            tail -n 30 "$dir.log" >&2
            die "meson failed; the whole output is in $dir.log"
        }
    fi
    ninja -C "$dir" ${targets:-} >"$dir.log" 2>&1 || {
        tail -n 40 "$dir.log" >&2
        die "the build failed; the whole output is in $dir.log"
    }
}
