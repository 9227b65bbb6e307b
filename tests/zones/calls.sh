#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls between two zones while they wait and run: a person of the target's zone
# is asked, either owner ends them, and a new policyd leaves them alone.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup

printf '#!/bin/sh\necho "$QREXEC_REMOTE_DOMAIN"\n' >server/services/call.Who
printf '#!/bin/sh\necho started; exec sleep 4321\n' >server/services/call.Hang
chmod 755 server/services/call.*
printf 'type = AppVM\nservices = call.Who call.Hang\n' |
    tee server/qubes.d/shop.conf >server/qubes.d/stall.conf
printf 'type = RemoteVM\nzone = server\nremote-name = shop\n' \
    >thin/qubes.d/server-shop.conf
printf '%s * work server-shop allow\n' call.Who call.Hang \
    >thin/policy.d/05-calls.policy
cat >server/policy.d/05-calls.policy <<'END'
call.Who  *     thin-work shop  ask default_target=stall
call.Who  *     thin-work stall ask
call.Hang +free thin-work shop  allow
call.Hang *     thin-work shop  ask
END
for z in thin server; do
    run "qair -z $z zone reload --policy"
    zones_approve "$z"
done
zones_install_pack

call() { # SERVICE: from work in the background; sets caller
    {
        qair -z thin qube run work -- qrexec-client-vm server-shop "$1" </dev/null
        echo "rc=$?"
    } >"$work/said" 2>&1 &
    caller=$!
}
# Not the command of `qube run` that makes the call.
id() {
    qair -z "$1" call list --json | jq -r --arg s "$2" \
        '.calls[] | select(.state == $s and (.service | startswith("call."))) | .id'
}
is_state() { [ -n "$(id "$1" "$2")" ]; }
none_in() { ! qair -z "$1" call list --json | grep -q '"call\.'; }
said() { # WORDS: the caller has ended, and was told them
    wait_until 20 eval "! kill -0 $caller" && grep -qF -- "$1" "$work/said"
}

call call.Who
ok "the target's owner is asked" wait_until 30 is_state server asking
ok "the caller's zone waits" is_state thin waiting
ok "one id in both zones" \
    [ "$(id server asking)" = "$(id thin waiting)" ]
refuses "nothing else than what is offered" "not offered" \
    qair -z server call allow "$(id server asking)" thin-work
ok "it is let through" \
    qair -z server call allow "$(id server asking)" shop
ok "and served in the name that the target's zone has for the caller" \
    said thin-work

call call.Who
ok "asked again" wait_until 30 is_state server asking
ok "it is denied" qair -z server call deny "$(id server asking)"
ok "and the caller is told by whom" \
    said "refused by zone server: denied by the zone's owner"

for how in call.Hang+free call.Hang+asked; do
    call "$how"
    if [ "$how" = call.Hang+asked ]; then
        ok "asked about a long call" wait_until 30 is_state server asking
        run "qair -z server call allow $(id server asking) shop"
    fi
    ok "$how runs" wait_until 30 is_state server running
    ok "its origin knows that too" wait_until 10 is_state thin running
    run "kill -9 $(pid_of server qair-policyd)"
    run "kill -9 $(pid_of thin qair-policyd)"
    ok "both policyd are there again" wait_until 20 \
        eval 'pid_of server qair-policyd && pid_of thin qair-policyd'
    # It serves, and has been asked about what runs before what comes next.
    refuses "and judge" "refused by" qair -z server call shop call.Who
    refuses "both of them" "refused by" qair -z thin call server-shop call.Who
    ok "and leave it alone" is_state server running
    ok "at its origin too" is_state thin running
    if [ "$how" = call.Hang+free ]; then
        ok "the target's owner ends it" \
            qair -z server call kill "$(id server running)"
    else
        ok "the caller's owner ends it" \
            qair -z thin call kill "$(id thin running)"
    fi
    ok "the caller sees its end" said "rc=255"
    ok "nothing runs in the target's zone" wait_until 20 none_in server
    ok "nor in the caller's" wait_until 20 none_in thin
    gone() { ! qair -z server qube run shop -- pgrep -x sleep; }
    ok "nor the service" wait_until 20 gone
done
ok "both logs verify" qair -z server log verify
ok "the thin one too" qair -z thin log verify
end
