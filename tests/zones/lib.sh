# SPDX-License-Identifier: Apache-2.0
# Sourced by the end-to-end tests: TAP output, a private folder, two zones.
# A test script calls `begin`, then ok/refuses/is, then `end`.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../script/lib.sh"
. "$here/../../script/zones.sh"
build=${QAIR_BUILD:-$top/build}
PATH=$build:$PATH
unset QAIR_ZONE

tests=0 failures=0

run() {
    eval "$1" >>"$work/setup.log" 2>&1 || {
        echo "Bail out! failed: $1"
        sed 's/^/# /' "$work/setup.log" | tail -n 25
        exit 1
    }
}
tell() { :; }

result() { # STATUS TEXT
    tests=$((tests + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tests - $2"
    else
        echo "not ok $tests - $2"
        failures=$((failures + 1))
        [ ! -s "$work/out" ] || sed 's/^/# /' "$work/out" | head -n 30
    fi
}

# ok TEXT COMMAND...: must succeed.
ok() {
    local text=$1 rc=0
    shift
    "$@" >"$work/out" 2>&1 || rc=$?
    result "$rc" "$text"
}

# refuses TEXT REASON COMMAND...: must fail, by itself, and say REASON.
refuses() {
    local text=$1 reason=$2 rc=0 bad=0
    shift 2
    "$@" >"$work/out" 2>&1 || rc=$?
    if [ "$rc" = 0 ] || { [ "$rc" -gt 127 ] && [ "$rc" != 255 ]; }; then
        bad=1
    fi
    grep -qF -- "$reason" "$work/out" || bad=1
    echo "(exit code $rc; wanted: $reason)" >>"$work/out"
    result "$bad" "$text"
}

begin() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/qair-test.XXXXXX")
    cd "$work"
    trap finish EXIT
    trap 'exit 130' INT TERM
}

finish() {
    local rc=$?
    trap - EXIT
    cd "$work"
    zones_stop
    for p in $(pgrep -f "$work" || true); do
        [ "$p" = $$ ] || kill -9 "$p" 2>/dev/null || true
    done
    for m in $(grep -o " $work[^ ]*" /proc/mounts | sort -r); do
        umount "$m" || true
    done
    cd /
    [ "${QAIR_KEEP:-0}" = 1 ] && echo "# kept: $work" || rm -rf "$work"
    exit "$rc"
}

# What a sanitizer found in a daemon that was started again since.
sanitizer_reports() {
    grep -ahE 'AddressSanitizer|LeakSanitizer|runtime error:' */run/qaird.log
}

end() {
    ok "no daemon was stopped by a sanitizer" eval '! sanitizer_reports'
    echo "1..$tests"
    [ "$failures" = 0 ] || exit 1
    exit 0
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

# sign QUBE KEY FILE RECEIPT: one remote signature.
sign() {
    qair -z thin qube run "$1" -- qrexec-client-vm server-signer \
        "qair.Sign+$2" <"$3" >"$4"
}

# wait_until SECONDS COMMAND...: polls for readiness.
wait_until() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.05
    done
}

flip_bit() { # FILE OFFSET OUT
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    {
        head -c "$2" "$1"
        printf "\\x$(printf %x $((byte ^ 1)))"
        tail -c "+$(($2 + 2))" "$1"
    } >"$3"
}

# Of a running zone, the pid of one of its programs.
pid_of() { # ZONE PROGRAM
    local sup
    sup=$(head -n 1 "$1/run/qaird.pid")
    pgrep -P "$sup" -x "$(printf %.15s "$2")"
}
