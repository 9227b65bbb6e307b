#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Many callers at once, for long: none fails, none stalls, no daemon grows.
# QAIR_SOAK_CALLS: calls of each of the 16 local callers (1,000).
# QAIR_SOAK_REMOTE: calls of each of the 16 callers of the other zone (50).
set -uo pipefail
. "$(dirname "$0")/lib.sh"
calls=${QAIR_SOAK_CALLS:-1000} remote=${QAIR_SOAK_REMOTE:-50}
begin
zones_setup

printf '#!/bin/sh\nexec cat\n' >thin/services/soak.Echo
cp thin/services/soak.Echo server/services/
chmod 755 */services/soak.Echo
printf 'type = AppVM\nservices = soak.Echo\n' | tee thin/qubes.d/soak.conf \
    >server/qubes.d/soak.conf
printf 'type = RemoteVM\nzone = server\nremote-name = soak\n' \
    >thin/qubes.d/server-soak.conf
printf 'soak.Echo * work soak allow\nsoak.Echo * work server-soak allow\n' \
    >thin/policy.d/05-soak.policy
printf 'soak.Echo * thin-work soak allow\n' >server/policy.d/05-soak.policy
for z in thin server; do
    run "qair -z $z zone reload --policy"
    zones_approve "$z"
done
zones_install_pack
run "qair -z thin qube run work -- 'cat > soak-calls && chmod 700 soak-calls' <$build/soak-calls"

callers() { # TARGET CALLS
    qair -z thin qube run work -- ./soak-calls "$1" soak.Echo 16 "$2"
}
# rss ZONE: each daemon's name and resident KiB
rss() {
    local sup p
    sup=$(head -n 1 "$1/run/qaird.pid")
    for p in "$sup" $(pgrep -P "$sup"); do
        awk -v OFS='\t' '/^Name:/ {n=$2} /^VmRSS:/ && n ~ /^qair/ {print n, $2}' "/proc/$p/status"
    done | sort
}
# flat ZONE: what grew by more than a quarter and 2 MiB since ZONE.before
flat() {
    rss "$1" >"$1.after"
    join -t "$(printf '\t')" "$1.before" "$1.after" | tee "$work/rss" | awk '
        $3 > $2 * 1.25 + 2048 { print $1 " grew from " $2 " to " $3 " KiB"; bad = 1 }
        END { exit bad }'
}
sanitized() { nm -D "$build/qaird" | grep __asan_ >/dev/null; }

ok "16 local callers warm up" callers soak $((calls / 10 + 1))
ok "16 callers of the other zone warm up" callers server-soak $((remote / 10 + 1))
for z in thin server; do rss "$z" >"$z.before"; done
ok "16 local callers make $calls calls each: none fails, none stalls" \
    callers soak "$calls"
ok "16 callers of the other zone make $remote calls each" \
    callers server-soak "$remote"
for z in thin server; do
    if sanitized; then
        ok "memory of zone $z # SKIP a sanitizer keeps what was freed" true
    else
        ok "no daemon of zone $z has grown" flat "$z"
        sed 's/^/# /' "$work/rss"
    fi
done
ok "both logs verify" qair -z server log verify
ok "the thin one too" qair -z thin log verify
end
