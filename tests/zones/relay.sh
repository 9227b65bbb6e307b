#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A zone in the relay qube of a Qubes host, and a remote zone.  The host's
# dom0, its agent and its qrexec-client-vm are played here, by what they start
# and what they are started with; tests/interop/relay.sh has the real ones.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin

port=$(zones_free_port) back=$(zones_free_port)
run "qair pack init owner"
init() { # ZONE UID-BASE OPTION...
    run "qair -z $1 zone init --name $1 --owner owner/pack/owner.pub --ca ca --uid-base $2 ${*:3}"
    mkdir -p "$1/policy.d" "$1/qubes.d" "$1/services"
}
init server 64200 --listen "127.0.0.1:$port" --peer "home=127.0.0.1:$back"
init home 62400 --listen "127.0.0.1:$back" --peer "server=127.0.0.1:$port"
echo "relay-user = $(id -un)" >>home/zone.conf

qube() { printf '%s\n' "${@:3}" >"$1/qubes.d/$2.conf"; }
service() { # ZONE NAME SCRIPT
    printf '#!/bin/sh\n%s\n' "$3" >"$1/services/$2"
    chmod 755 "$1/services/$2"
}
qube home work 'type = AppVM' 'host = qubes'
qube home vault 'type = AppVM' 'host = qubes'
qube home sleepy 'type = AppVM' 'host = qubes'
qube home local 'type = AppVM'
qube home server-echo 'type = RemoteVM' 'zone = server' 'remote-name = echo'
qube home server-caller 'type = RemoteVM' 'zone = server' 'remote-name = caller'
cat >home/policy.d/30-t.policy <<'END'
*          * work          server-echo allow
test.Local * work          vault       allow
test.Down  * server-caller sleepy      allow autostart=no
test.In    * server-caller vault       allow user=root
test.Exit  * server-caller vault       allow
END
qube server echo 'type = AppVM' 'services = test.Who test.Cat test.Exit'
qube server caller 'type = AppVM'
qube server home-work 'type = RemoteVM' 'zone = home' 'remote-name = work'
for q in vault sleepy local; do
    qube server "home-$q" 'type = RemoteVM' 'zone = home' "remote-name = $q"
done
service server test.Who 'echo "$QREXEC_REMOTE_DOMAIN asks for $QREXEC_SERVICE_FULL_NAME"'
service server test.Cat 'exec cat'
service server test.Exit 'exit "$1"'
cat >server/policy.d/30-t.policy <<'END'
test.Secret * home-work echo    deny
*           * home-work echo    allow
*           * caller    @anyvm  allow
END
for z in server home; do run "qair -z $z zone start"; done
for z in server home; do
    zones_enrol "$z"
    zones_approve "$z"
done
for z in server home; do
    run "cp -r owner/pack/. $z/pack/ && qair -z $z zone reload"
done

# ---- out: as dom0 has the relay's agent start it ----------------------------

from() { # QUBE REMOTE+SERVICE+ARG
    env QAIR_ZONE="$work/home" QREXEC_REMOTE_DOMAIN="$1" \
        QREXEC_SERVICE_FULL_NAME="qair.Relay+$2" "$build/qair.Relay" "$2"
}
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
ok "a qube of the Qubes host calls a RemoteVM" \
    says "home-work asks for test.Who+a+b" from work server-echo+test.Who+a+b
head -c 2000000 /dev/urandom >data
both_ways() { from work server-echo+test.Cat <data >out.data && cmp data out.data; }
ok "with its data, both ways" both_ways
ok "and the exit code" exits 9 from work server-echo+test.Exit+9
refuses "what the remote policy refuses says so" "policy of zone server" \
    from work server-echo+test.Secret
ok "with qrexec's code for it" exits 126 from work server-echo+test.Secret
refuses "a qube without a rule is refused at home" "policy of zone home" \
    from vault server-echo+test.Who
refuses "a qube that qubes.d does not name is refused" "no qube stranger" \
    from stranger server-echo+test.Who
refuses "a qube of the zone itself does not come this way" "no qube local" \
    from local server-echo+test.Who
refuses "nor does the zone's owner" "lower-case" \
    from @adminvm server-echo+test.Who
refuses "nor a RemoteVM" "no qube server-caller" \
    from server-caller server-echo+test.Who
refuses "a name with a plus is no name" "name of the RemoteVM" from work '+server-echo+test.Who'
refuses "two qubes of the host are not joined by the relay" "one Qubes host" \
    from work vault+test.Local
by_hand() { QAIR_ZONE="$work/home" "$build/qair.Relay" server-echo+test.Who; }
refuses "the transport service refuses who no agent started" "a qrexec agent" \
    by_hand
owner_only() { [ "$(stat -c '%a %U' home/run/relay.sock)" = "600 $(id -un)" ]; }
ok "its socket is the relay user's alone" owner_only
no_socket() { [ ! -e server/run/relay.sock ]; }
ok "a zone without relay-user has no such socket" no_socket

# ---- in: qair-relay and a qrexec-client-vm of the host ----------------------

cat >client-vm <<'END'
#!/bin/sh
printf '%s ' "$@" >>"$0.args"
case $3 in
test.Exit*) exit "${3#*+}" ;;
test.In*) cat; echo over >&2 ;;
*) exit 126 ;;
esac
END
chmod 755 client-vm
to() { qair -z server qube run caller -- qrexec-client-vm "$@"; }
refuses "without qair-relay, a call to a qube of the host is refused" \
    "qair-relay does not run" to home-vault test.In
QAIR_ZONE=$work/home "$build/qair-relay" --client-vm="$work/client-vm" \
    2>relay.log &
relay=$!
serves() { qair -z home qube list | grep -q '^vault .*on Qubes host'; }
idle() { qair -z home qube list | grep -q '^vault .*no relay'; }
ok "qair-relay serves" wait_until 20 serves
second() {
    QAIR_ZONE=$work/home timeout 20 "$build/qair-relay" \
        --client-vm="$work/client-vm"
}
refuses "a second one does not" "another qair-relay" second
in_ways() { to home-vault test.In+x <data >in.data && cmp data in.data; }
ok "a call of another zone reaches a qube of the host, with its data" in_ways
named() {
    grep -qx -- '--source-qube=server-caller vault test.In+x ' client-vm.args
}
ok "in the name that this zone's policy has for the caller" named
ok "its exit code comes back" exits 5 to home-vault test.Exit+5
refuses "a service that home's policy does not allow is not called" \
    "policy of zone home" to home-vault test.Other
refuses "autostart=no: whether it runs is not known" "autostart=no" \
    to home-sleepy test.Down
not_called() { ! grep -q 'test.Other\|test.Down' client-vm.args; }
ok "and the host has heard of neither" not_called
refuses "a command is run in no qube of the host" "services alone" \
    qair -z home qube run vault -- true
mkfifo held
exec 8<>held
to home-vault test.In+stay <held >/dev/null 2>&1 &
stay=$!
called() { grep -q 'test.In+stay' client-vm.args; }
ok "a call is under way" wait_until 20 called
kill -9 "$relay"
wait "$relay" 2>/dev/null
ok "when qair-relay is killed in it, the zone sees it" wait_until 20 idle
over() { ! kill -0 "$stay" 2>/dev/null; }
ok "and the call ends" wait_until 20 over
exec 8>&-
refuses "calls are refused again" "qair-relay does not run" \
    to home-vault test.In
traced() {
    qair -z home log show |
        grep -c 'call  *work may call test.Who+a+b on echo of zone server' &&
        qair -z home log show | grep -c 'server-caller (caller of zone server) calls test.In+x on vault'
}
ok "home's log names who called whom, both ways" traced
for z in home server; do
    ok "the log of zone $z verifies" qair -z "$z" log verify
done
end
