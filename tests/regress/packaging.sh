#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The check scripts of packaging/qubes, on trees that are right and wrong, and
# the policy file they are about, by the policy itself.
# packaging.sh PACKAGING QAIR
set -u
from=$1 qair=$2
dir=$(mktemp -d "${TMPDIR:-/tmp}/qair-pack.XXXXXX")
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
result() { # TEXT STATUS
    n=$((n + 1))
    if [ "$2" = 0 ]; then
        echo "ok $n - $1"
    else
        failed=1
        echo "not ok $n - $1"
        sed 's/^/# /' "$dir/out"
    fi
}
ends() { # TEXT CODE PART COMMAND...
    local text=$1 code=$2 part=$3 rc=0 bad=0
    shift 3
    "$@" >"$dir/out" 2>&1 || rc=$?
    [ "$rc" = "$code" ] || bad=1
    grep -qF -- "$part" "$dir/out" || bad=1
    echo "(exit code $rc)" >>"$dir/out"
    result "$text" "$bad"
}

# ---- dom0 ----------------------------------------------------------------

dom0=$from/dom0/qair-relay-check-dom0
mkdir "$dir/p" "$dir/later"
check() { "$dom0" -n "$dir/later" "$dir/p"; }
ends "without the rule, dom0 is not shut" 1 "there is none" check
cp "$from/dom0/10-qair-relay.policy" "$dir/p/"
ends "with it, it is" 0 "shut to every caller" check
cp "$from/dom0/40-qair-remote.policy.example" "$dir/p/40-remote.policy"
ends "the example's rules are fine" 0 "shut" check
echo 'qair.Relay * work sys-qair allow' >"$dir/p/50-guide.policy"
ends "a rule that allows the transport is found, wherever it stands" 1 \
    "50-guide.policy:1" check
rm "$dir/p/50-guide.policy"
echo '* * work @anyvm ask' >"$dir/p/05-early.policy"
ends "a rule before it that takes any service is found" 1 "05-early.policy:1" \
    check
rm "$dir/p/05-early.policy"
echo '# nothing' >"$dir/later/10-qair-relay.policy"
ends "a file that hides it is found" 1 "is not" \
    "$dom0" -n "$dir/later" "$dir/p"
rm "$dir/later/10-qair-relay.policy"
echo 'qair.Relay * @anyvm * deny' >"$dir/p/10-qair-relay.policy"
ends "a rule that denies it to some is not enough" 1 "is not" check
cp "$from/dom0/10-qair-relay.policy" "$dir/p/"

# ---- what the rules say ---------------------------------------------------

mkdir -p "$dir/z/policy.d" "$dir/z/qubes.d"
cp "$dir"/p/*.policy "$dir/z/policy.d/"
for q in work vault sys-qair; do echo 'type = AppVM' >"$dir/z/qubes.d/$q.conf"; done
for q in server-signer server-builder; do
    printf 'type = RemoteVM\nzone = server\nremote-name = %s\n' "${q#server-}" \
        >"$dir/z/qubes.d/$q.conf"
done
eval_() { "$qair" -z "$dir/z" policy eval "$@"; }
ends "by the rules, nobody calls the transport" 1 "10-qair-relay.policy" \
    eval_ work sys-qair qair.Relay+server-signer+qair.Sign+release
ends "not dom0 either" 1 "10-qair-relay.policy" \
    eval_ @adminvm sys-qair qair.Relay+x+y
ends "work may sign" 0 "40-remote.policy" eval_ work server-signer qair.Sign+release
ends "with no other key" 1 "40-remote.policy" eval_ work server-signer qair.Sign+other
ends "a remote qube gets nothing else" 1 "40-remote.policy" \
    eval_ server-builder vault qubes.VMShell

# ---- the relay qube --------------------------------------------------------

relay=$from/relay/qair-relay-check root=$dir/root
mkdir -p "$root"/{usr/bin,usr/lib/qair,etc/qubes-rpc,var/lib/qair/qubes.d}
ends "an empty qube is no relay" 1 "there is no zone" "$relay" "$root"
printf 'name = home\nrelay-user = user\n' >"$root/var/lib/qair/zone.conf"
ends "without qubes of the host" 1 "host = qubes" "$relay" "$root"
printf 'type = AppVM\nhost = qubes\n' >"$root/var/lib/qair/qubes.d/work.conf"
ends "without the service" 1 "no qair.Relay" "$relay" "$root"
for p in lib/qair/qair-relay lib/qair/qair.Relay bin/qrexec-client-vm; do
    printf '#!/bin/sh\n' >"$root/usr/$p"
    chmod 755 "$root/usr/$p"
done
ln -s ../../usr/lib/qair/qair.Relay "$root/etc/qubes-rpc/qair.Relay"
ends "all of it" 0 "relay for 1 qubes of this host, as user" "$relay" "$root"
chmod 644 "$root/usr/lib/qair/qair.Relay"
ends "a service that cannot run" 1 "cannot be executed" "$relay" "$root"
for unit in "$from"/relay/*.service; do
    grep -qxE 'ExecStart=/usr/lib/qair/qa(ird /var/lib/qair|ir-relay)' "$unit"
    result "unit ${unit##*/} starts a program of ours" $?
done
echo "1..$n"
exit "$failed"
