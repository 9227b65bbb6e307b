#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libqair-qrexec as a stranger uses it: installed, found by pkg-config, the
# examples compiled by that alone and run in the qubes of a real zone.
# TAP; arguments: the build folder, the examples' folder.
set -u
build=$(realpath "$1")
examples=$(realpath "$2")
PATH=$build:$PATH
unset QAIR_ZONE
for tool in swtpm swtpm_setup openssl bwrap pkg-config; do
    command -v "$tool" >/dev/null || {
        echo "1..0 # SKIP $tool is not installed"
        exit 0
    }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/qair-library.XXXXXX")
cd "$work" || exit 1
finish() {
    qair -z zone zone stop >/dev/null 2>&1
    cd / && rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

n=0 bad=0
# is TEXT WANTED GOT
is() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        bad=1
        echo "not ok $n - $1"
        printf '# wanted: %s\n# got:    %s\n' "$2" "$3" | head -n 20
    fi
}
run() { # COMMAND...: what it said and its exit code
    "$@" >out 2>err # which of the two is first is nobody's promise
    local rc=$?
    echo "$(cat err out | xargs) rc=$rc"
}

DESTDIR=$work/root meson install -C "$build" --no-rebuild >install.log 2>&1
PKG_CONFIG_PATH=$(dirname "$(find root -name qair-qrexec.pc)")
PKG_CONFIG_SYSROOT_DIR=$work/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
flags=$(pkg-config --cflags --libs qair-qrexec)
lib=$(dirname "$(find root -name libqair-qrexec.so.1)")
case $(nm -D "$lib/libqair-qrexec.so.1") in
*__asan_*) flags="$flags -fsanitize=address,undefined" ;;
esac

compiles() { # PROGRAM
    ${CC:-cc} -Wall -Wextra -Werror "$examples/$1.c" $flags -o "$1" &&
        ${CC:-cc} -Wall -Wextra -Werror "$examples/$1.c" \
            $(pkg-config --cflags qair-qrexec) "$lib/libqair-qrexec.a" \
            ${flags##*qair-qrexec} -o "$1-static"
}
is "the caller compiles, shared and static" " rc=0" "$(run compiles qrexec-call)"
is "so does the server" " rc=0" "$(run compiles qrexec-serve)"
header=$(grep -o 'qair_[a-z_]*(' root/usr/local/include/qair-qrexec.h |
    tr -d '(' | sort -u)
is "what is exported is what the header names" "$header" \
    "$(nm -D --defined-only "$lib/libqair-qrexec.so.1" |
        awk '{ sub(/@.*/, "", $3); print $3 }' |
        grep -v -e '^QAIR_QREXEC_1$' -e '^__' | sort)"
is "the same of the static one" "$header" \
    "$(nm -g --defined-only "$lib/libqair-qrexec.a" |
        awk 'NF == 3 && $3 !~ /^__/ { print $3 }' | sort)"
is "each name has a version" "" "$(nm -D --defined-only --with-symbol-versions \
    "$lib/libqair-qrexec.so.1" | grep ' T ' | grep -v '@@QAIR_QREXEC_1$')"
is "it needs libc alone" "libc.so.6" \
    "$(readelf -d "$lib/libqair-qrexec.so.1" |
        sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e asan -e ubsan)"
is "its file for pkg-config asks for nothing else" "" \
    "$(grep -E '^(Requires|Libs.private)' "$PKG_CONFIG_PATH/qair-qrexec.pc")"
echo '#include <qair-qrexec.h>' >h.c
is "the header is C99 and C++ too" " rc=0" "$(headers() {
    ${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only h.c \
        $(pkg-config --cflags qair-qrexec) &&
        { ! command -v c++ >/dev/null || c++ -Wall -Wextra -Werror -x c++ \
            -fsyntax-only h.c $(pkg-config --cflags qair-qrexec); }
} && run headers)"
is "a program may have a buf_append of its own" " rc=0" "$(
    printf 'int buf_append;\nint link_free;\nint err_set;\n' >own.c
    run ${CC:-cc} "$examples/qrexec-call.c" own.c -o own \
        $(pkg-config --cflags qair-qrexec) "$lib/libqair-qrexec.a" \
        ${flags##*qair-qrexec})"
is "no call outside a qube" "no call: No such file or directory rc=125" \
    "$(run ./qrexec-call-static store test.Echo x)"
is "a misuse" "2" "$(./qrexec-call-static 2>/dev/null; echo $?)"

mkdir -p zone/services zone/qubes.d zone/policy.d
printf '#!/bin/sh\necho "to $QREXEC_REMOTE_DOMAIN" >&2\ncat\nexit 9\n' \
    >zone/services/test.Echo
chmod 755 zone/services/test.Echo
printf 'type = AppVM\nservices = test.Echo\n' >zone/qubes.d/store.conf
printf 'type = AppVM\n' >zone/qubes.d/work.conf
printf 'test.Echo * work store allow\nexample.Serve * work store allow\n' \
    >zone/policy.d/30-test.policy
{
    openssl ecparam -name prime256v1 -genkey -noout -out owner.key &&
        openssl ec -in owner.key -pubout -out owner.pub &&
        qair -z zone zone init --name home --owner owner.pub --ca ca &&
        qair -z zone zone start
} >setup.log 2>&1 || {
    echo "Bail out! no zone: $(tail -n 1 setup.log)"
    exit 1
}
qube() { qair -z zone qube run "$@"; }
put() { # QUBE PROGRAM
    qube "$1" "cat > $2 && chmod 700 $2" <"$2-static"
}
put work qrexec-call
put store qrexec-serve

is "a call with its streams and its exit code" "to work ping rc=9" \
    "$(run qube work -- ./qrexec-call store test.Echo ping)"
is "a refusal, and by whom" \
    "refused by policy of zone home rc=126" \
    "$(run qube work -- ./qrexec-call store test.No ping | sed 's/:.* rc/ rc/')"
qube store 'mkdir -p /run/qubes-rpc && exec ./qrexec-serve /run/qubes-rpc/example.Serve' \
    >serve.log 2>&1 </dev/null &
for _ in $(seq 200); do
    qube store 'test -S /run/qubes-rpc/example.Serve' && break
    sleep 0.05
done
is "a socket service, and no process for a call" \
    "work calls example.Serve+a ping rc=0" \
    "$(run qube work -- ./qrexec-call store example.Serve+a ping)"
is "once more" "work calls example.Serve+ pong rc=0" \
    "$(run qube work -- ./qrexec-call store example.Serve pong)"
echo "1..$n"
exit "$bad"
