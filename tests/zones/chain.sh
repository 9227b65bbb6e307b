#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three zones: thin calls gateway, whose policy sends the call on to server.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin

# ---- three zones of one owner --------------------------------------------

port_gateway=$(zones_free_port) port_server=$(zones_free_port)
run "qair pack init owner"
init() { # ZONE UID-BASE OPTION...
    run "qair -z $1 zone init --name $1 --owner owner/pack/owner.pub --ca ca --uid-base $2 ${*:3}"
    mkdir -p "$1/policy.d" "$1/qubes.d" "$1/services"
}
init server 64200 --listen "127.0.0.1:$port_server"
init gateway 62400 --listen "127.0.0.1:$port_gateway" \
    --peer "server=127.0.0.1:$port_server"
init thin 60600 --peer "gateway=127.0.0.1:$port_gateway" \
    --peer "server=127.0.0.1:$port_server"

qube() { printf '%s\n' "${@:3}" >"$1/qubes.d/$2.conf"; }
remote() { # ZONE NAME THEIR-ZONE THEIR-NAME
    qube "$1" "$2" 'type = RemoteVM' "zone = $3" "remote-name = $4"
}
service() { # ZONE NAME SCRIPT
    printf '#!/bin/sh\n%s\n' "$3" >"$1/services/$2"
    chmod 755 "$1/services/$2"
}

qube thin work 'type = AppVM' 'services = test.Who'
qube thin mail 'type = AppVM'
remote thin far gateway server-signer
remote thin door gateway door
remote thin gateway-mail gateway thin-mail
cat >thin/policy.d/30-t.policy <<'END'
test.Secret * mail far  allow
test.Who    * mail far  deny
*           * work @anyvm allow
*           * mail @anyvm allow
END

remote gateway thin-work thin work
remote gateway thin-mail thin mail
remote gateway server-signer server signer
qube gateway liar 'type = AppVM'
qube gateway door 'type = AppVM' 'services = test.Who'
service gateway test.Who 'echo "$QREXEC_REMOTE_DOMAIN at the door"'
cat >gateway/policy.d/30-t.policy <<'END'
test.Who      * thin-work door          allow
test.Who      * liar      server-signer allow
test.Redirect * thin-work door          allow target=server-signer
test.Ask      * thin-work door          ask target=server-signer
qair.Sign     * thin-work door          allow target=server-signer
*             * thin-mail server-signer deny
test.Secret   * thin-work @anyvm        deny
*             * thin-work @anyvm        allow
END

remote server gateway-work gateway thin-work
echo 'origin = thin/work' >>server/qubes.d/gateway-work.conf
# What the gateway may say to be its own qube, and what it may not.
remote server gateway-liar gateway liar
echo 'origin = thin/work' >>server/qubes.d/gateway-liar.conf
remote server thin-direct thin work
qube server signer 'type = AppVM' 'keys = release' \
    'services = test.Who test.Cat test.Exit test.Redirect test.Ask test.Only qair.Sign'
qube server builder 'type = AppVM' 'keys = release' 'services = qair.Sign'
cp "$top/examples/two-zones/server/services/qair.Sign" server/services/
service server test.Who 'echo "$QREXEC_REMOTE_DOMAIN"'
service server test.Redirect 'echo "$QREXEC_REMOTE_DOMAIN over the door"'
service server test.Ask 'echo "$QREXEC_REMOTE_DOMAIN was let through"'
service server test.Cat 'exec cat'
service server test.Exit 'exit "$1"'
cat >server/policy.d/30-t.policy <<'END'
test.Only  * gateway-work signer  deny
qair.Sign  +release gateway-work signer allow
*          * gateway-work signer  allow
*          * thin-direct  @anyvm  deny
END

for z in server gateway thin; do run "qair -z $z zone start"; done
for z in server gateway thin; do
    zones_enrol "$z"
    zones_approve "$z"
done
install_pack() {
    local z
    for z in server gateway thin; do
        run "cp -r owner/pack/. $z/pack/ && qair -z $z zone reload"
    done
}
install_pack
run "qair -z server key create release --custody tpm --profile sshsig > release.key.json"
run "qair pack add-key release.key.json --owner-key owner/owner.key --pack owner/pack"
install_pack

call() { qair -z thin qube run "$1" -- qrexec-client-vm "${@:2}"; }
says() { # WANTED COMMAND...
    local wanted=$1 got
    shift
    got=$("$@" 2>&1 </dev/null) || true
    [ "$got" = "$wanted" ] || { echo "wanted: $wanted; got: $got"; false; }
}
exits() { # CODE COMMAND...
    local wanted=$1 rc=0
    shift
    "$@" </dev/null >said 2>&1 || rc=$?
    cat said
    [ "$rc" = "$wanted" ] || { echo "exit code $rc"; false; }
}

# ---- what works ------------------------------------------------------------

ok "a call goes through the gateway, and the server knows the caller by the gateway's name" \
    says gateway-work call work far test.Who
ok "the gateway's own qube takes what its policy does not send on" \
    says "thin-work at the door" call work door test.Who
ok "a redirect by the gateway's policy leads to the server" \
    says "gateway-work over the door" call work door test.Redirect

asking() {
    id=$(qair -z gateway call list | awk '/ asking /{print $1}')
    [ -n "$id" ]
}
let_through() {
    call work door test.Ask >asked 2>&1 </dev/null &
    local c=$!
    wait_until 20 asking || echo "nothing asks"
    asking && qair -z gateway call allow "$id" server-signer
    wait "$c" && grep -qx 'gateway-work was let through' asked || {
        cat asked
        return 1
    }
}
ok "the gateway's owner is asked, and the call goes on to the server" \
    let_through

idle() { ! qair -z server call list | grep -q ' running '; }
cut_by() { # COMMAND...: cuts a call that runs; both ends must see it
    local c rc=0
    rm -f held
    mkfifo held
    call work far test.Cat <held >cut 2>&1 &
    c=$!
    exec 9>held
    echo alive >&9
    wait_until 20 grep -q alive cut || return 1
    "$@" || return 1
    wait "$c" || rc=$?
    exec 9>&-
    [ "$rc" = 255 ] || { echo "exit code $rc"; cat cut; return 1; }
    wait_until 20 idle
}
owner_kills() {
    id=$(qair -z gateway call list | awk '/ running /{print $1}')
    qair -z gateway call kill "$id"
}
ok "the gateway's owner ends a call that goes through, for both its ends" \
    cut_by owner_kills
drop() { kill -KILL "$(pid_of gateway qair-netd)"; }
ok "a gateway that drops a call is seen at both its ends" cut_by drop
ok "and carries the next one" \
    wait_until 30 says gateway-work call work far test.Who

head -c 3000000 /dev/urandom >data
both_ways() {
    call work far test.Cat <data >back && cmp data back
}
ok "3 MB there and back, over two channels" both_ways
ok "an exit code comes through" exits 7 call work far test.Exit+7
own_126() {
    exits 126 call work far test.Exit+126 && ! grep -q refused said
}
ok "a service's own 126 is no refusal" own_126

# ---- refusals: which zone, and why -----------------------------------------

refuses "thin's policy says no, and is named" "policy of zone thin" \
    call mail far test.Who
refuses "the gateway's policy says no, and is named" \
    "policy of zone gateway" call mail far test.Secret
refuses "the server's policy says no, and is named through two hops" \
    "policy of zone server" call work far test.Only
ok "with qrexec's code for it" exits 126 call work far test.Only
refuses "with the rule that said so" "30-t.policy:1" call work far test.Only
refuses "the way around the gateway has its own name and rule" \
    "zone thin" call work server-signer test.Who
refuses "a loop thin-gateway-thin ends at the gateway" "loop" \
    call work gateway-mail test.Who
refuses "a call that the gateway begins is not thin's, whatever it is called" \
    "began at gateway/liar" \
    qair -z gateway qube run liar -- qrexec-client-vm server-signer test.Who
ok "a service that is not there is not a refusal: 127" \
    exits 127 call work far test.Nothing

# ---- a key at the end of a chain -------------------------------------------

head -c 50000 /dev/urandom >artefact
signs() {
    call work far qair.Sign+release <artefact >r.json
}
ok "a key of the server signs for thin's work" signs
path_says() { # RECEIPT TEXT
    qair verify "$1" artefact --pack owner/pack >verified &&
        tr -s ' \n' ' ' <verified | grep -qF -- "$2" || {
        cat verified
        return 1
    }
}
ok "the receipt verifies and shows the path" path_says r.json \
    "thin/work -> gateway/thin-work -> server/signer"
trace() {
    qair -z server log trace artefact --with thin --with gateway >traced &&
        grep -q 'qube work of zone thin' traced &&
        grep -q 'qube thin-work of zone gateway' traced &&
        grep -q 'in the log of zone server' traced &&
        grep -q 'in the log of zone gateway' traced &&
        grep -q 'in the log of zone thin' traced &&
        ! grep -q WRONG traced || {
        cat traced
        return 1
    }
}
ok "one trace follows the three logs by one call id" trace
sed -i 's/^qair.Sign.*/qair.Sign +release gateway-work signer allow target=builder/' \
    server/policy.d/30-t.policy
run "qair -z server zone reload --policy"
zones_approve server
install_pack
ok "the server's own policy redirects the signature" wait_until 20 signs
ok "that receipt verifies too, and shows the redirect" path_says r.json \
    "server/signer, redirected to builder by 30-t.policy:2"

# ---- a gateway that was taken over -----------------------------------------

mkdir attack
for p in "$build"/qair* "$build"/qrexec-client-vm; do
    [ ! -f "$p" ] || [ ! -x "$p" ] || cp "$p" attack/
done
take_over() { # PROGRAM: the gateway runs with an attacker's, which is approved
    run "qair -z gateway zone stop"
    run "cp $build/qair-keyd $build/qair-netd attack/"
    run "cp $build/tests/attack/$1 attack/"
    run "qair -z gateway zone start"
    zones_approve gateway
    install_pack
}
run "sed -i '/^programs/d' gateway/zone.conf && echo 'programs = $work/attack' >> gateway/zone.conf"

take_over qair-keyd
ok "the gateway's keyd is replaced by one that signs lies; its first link is true" \
    wait_until 20 says gateway-work call work far test.Who
while IFS='|' read -r what why <&8; do
    refuses "a gateway that $what is refused by the server" "$why" \
        call work far test.Who
done 8<<'END'
extends a deadline|the deadline was extended
puts its link around another call|links of two calls
changes the service|the service changed
splices an old chain to a new call|links of two calls
goes on from a used call anew|replay
cuts the first link out|began at gateway/thin-work
END
refused_there() {
    qair -z server log show | grep 'envelope check of zone server' >refused
    [ "$(wc -l <refused)" -ge 6 ] || { cat refused; return 1; }
}
ok "and the server's log has each of them" refused_there

take_over qair-netd
ok "the gateway's netd is replaced; its first call passes" \
    wait_until 20 says gateway-work call work far test.Who
refuses "a chain that the gateway replays is refused by the server" \
    "zone server" call work far test.Who
refuses "as a replay" "replay" call work far test.Who

for z in thin gateway server; do
    ok "the log of zone $z verifies" qair -z "$z" log verify
done
end
