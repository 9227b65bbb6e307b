#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# RemoteVMs between two real zones: what is decided is what is called, and what
# Qubes OS 4.3 is known to get wrong.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin

port=$(zones_free_port)
run "qair pack init owner"
init() { # ZONE UID-BASE OPTION...
    run "qair -z $1 zone init --name $1 --owner owner/pack/owner.pub --ca ca --uid-base $2 ${*:3}"
    mkdir -p "$1/policy.d" "$1/qubes.d" "$1/services"
}
init server 64200 --listen "127.0.0.1:$port"
init thin 62400 --peer "server=127.0.0.1:$port"
qube() { printf '%s\n' "${@:3}" >"$1/qubes.d/$2.conf"; }
remote() { # ZONE NAME THEIR-ZONE THEIR-NAME [LINE]
    qube "$1" "$2" 'type = RemoteVM' "zone = $3" "remote-name = $4" "${@:5}"
}
for q in work mail stranger; do qube thin "$q" 'type = AppVM'; done
remote thin one server first 'tags = far'
remote thin two server second
remote thin cold server sleeper
remote thin mirror server thin-mail
cat >thin/policy.d/30-t.policy <<'END'
test.Redirect * work one      allow target=two
test.Default  * work @default allow target=two
test.Tag      * work @tag:far allow
test.Tag      * work two      deny
test.Cold     * work cold     allow autostart=no
test.Down     * work one      allow
*             * work @anyvm   allow
*             * stranger one  allow
END
# A qube of the server's own has the name that the caller has at home.
qube server work 'type = AppVM'
for q in first second sleeper; do
    qube server "$q" 'type = AppVM' 'services = *'
done
remote server thin-work thin work 'tags = trusted'
remote server thin-mail thin mail
printf '#!/bin/sh\necho "$QREXEC_REMOTE_DOMAIN calls $(cat /run/me 2>/dev/null)"\n' >server/services/test.Who
for s in Redirect Default Tag Cold Down Local ByTag Swap Ask; do
    cp server/services/test.Who "server/services/test.$s"
done
chmod 755 server/services/*
cat >server/policy.d/30-t.policy <<'END'
test.Local * work         first  allow
test.ByTag * @tag:trusted first  allow
test.Swap  * thin-work    first  allow target=second
test.Ask   * thin-work    first  ask
test.Ask   * thin-work    second ask
test.ByTag * @anyvm       @anyvm deny
test.Local * @anyvm       @anyvm deny
test.Cold  * thin-work sleeper   allow
*          * thin-work @anyvm    allow
END
for z in server thin; do run "qair -z $z zone start"; done
for z in server thin; do
    zones_enrol "$z"
    zones_approve "$z"
done
zones_install_pack
for q in first second; do
    run "qair -z server qube run $q -- sh -c 'echo $q >/run/me'"
done

call() { qair -z thin qube run work -- qrexec-client-vm "$@"; }
says() { # WANTED COMMAND...
    local wanted=$1 got
    shift
    got=$("$@" 2>&1 </dev/null) || true
    [ "$got" = "$wanted" ] || { echo "wanted: $wanted; got: $got"; false; }
}

ok "names, both directions: the target's policy has its own name for the caller" \
    says "thin-work calls first" call one test.Who
refuses "names: a remote qube does not get what a local one of its name may" \
    "30-t.policy:7" call one test.Local
refuses "names: a qube that the target has no name for is no source (unknown source)" \
    "no RemoteVM" qair -z thin qube run stranger -- qrexec-client-vm one test.Who
ok "redirect (10914): target= to another RemoteVM calls that one, by its own name" \
    says "thin-work calls second" call one test.Redirect
ok "redirect (10914): @default with target= to a RemoteVM" \
    says "thin-work calls second" call @default test.Default
ok "redirect by the target's own policy, to another of its qubes" \
    says "thin-work calls second" call one test.Swap
asked() {
    qair -z thin log show --json >log.json
    grep -q '"qube":"second","requested":"one"' log.json &&
        grep -q '"qube":"second","requested":"@default"' log.json
}
ok "the envelope says what was asked for and what was decided" asked
ok "tags: @tag of a RemoteVM as target" \
    says "thin-work calls first" call one test.Tag
refuses "tags: a RemoteVM without the tag is another rule's" \
    "30-t.policy:4" call two test.Tag
ok "tags: @tag of a RemoteVM as source" \
    says "thin-work calls first" call one test.ByTag
refuses "remote to remote behind the same zone (951) is refused as a loop" \
    "loop" call mirror test.Who
refuses "autostart=no is carried to the zone that has the qube, which does not start it" \
    "zone server" call cold test.Cold
cold() { qair -z server qube list | grep -q '^sleeper .*halted'; }
ok "and it does not run" cold
run "qair -z server qube run sleeper -- sh -c 'echo sleeper >/run/me'"
ok "autostart=no: one that runs is called" \
    says "thin-work calls sleeper" call cold test.Cold

# asked ZONE ANSWER...: the id of the call that waits for the owner's answer.
asking() { id=$(qair -z "$1" call list | awk '/ asking /{print $1}'); [ -n "$id" ]; }
answer() { # ZONE ANSWER [TARGET]: to a call of work, whose words stand in said
    local c rc=0
    call one test.Ask >said 2>&1 </dev/null &
    c=$!
    wait_until 20 asking "$1" || echo "nothing asks"
    asking "$1"
    qair -z "$1" call "$2" "$id" "${@:3}"
    wait "$c" || rc=$?
    cat said
    return "$rc"
}
chosen() { answer server allow second && grep -qx 'thin-work calls second' said; }
ok "ask (10913): a call from a RemoteVM can be asked about, and the choice is called" \
    chosen
refuses "ask (10913): the owner of the target's zone says no" "zone server" \
    answer server deny

# The fallback of Qubes OS loses who is asking when its policy daemon is down.
down() {
    local p rc=0
    p=$(pid_of server qair-policyd)
    kill -STOP "$p"
    call one test.Down >down.out 2>&1 </dev/null &
    local c=$!
    waits() { qair -z server call list | grep -q test.Down ||
        qair -z server call list | grep -q thin; }
    wait_until 20 waits || echo "the call was not seen waiting"
    kill -KILL "$p"
    wait "$c" || rc=$?
    cat down.out
    [ "$rc" = 126 ] && ! grep -q calls down.out && grep -q policyd down.out
}
ok "policy daemon down: refused, and nobody else is asked (no second path)" down
up() { says "thin-work calls first" call one test.Who; }
ok "and it decides again when it is back" wait_until 20 up
for z in thin server; do
    ok "the log of zone $z verifies" qair -z "$z" log verify
done
end
