#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Qubes host on this machine: dom0's policy daemon and a qrexec-daemon and
# agent a qube, over socket vchan.  Its qube sys-relay runs a zone; qubes of
# the host call another zone, and are called from there, by RemoteVMs.
# relay.sh QUBESD-STUB
set -uo pipefail
. "$(dirname "$0")/../zones/lib.sh"
stub=$(realpath "$1")
host_pids=()
begin
chmod 711 "$work"

# The host's qubes have a user of their own, as relay-user of the zone.
user=$(id -un) as=()
if [ "$(id -u)" = 0 ]; then
    user=nobody
    as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups
        --inh-caps=-all --bounding-set=-all)
    "${as[@]}" test -x "$build/qair.Relay" ||
        skip_all "user nobody cannot reach $build"
fi
stop_host() { # keeps the exit code for finish
    local p code=$?
    for p in "${host_pids[@]}"; do kill "$p" 2>/dev/null; done
    for p in "${host_pids[@]}"; do wait "$p" 2>/dev/null; done
    return "$code"
}
trap 'stop_host; finish' EXIT

# ---- two zones -----------------------------------------------------------

port=$(zones_free_port) back=$(zones_free_port)
run "qair pack init owner"
init() { # ZONE UID-BASE OPTION...
    run "qair -z $1 zone init --name $1 --owner owner/pack/owner.pub --ca ca --uid-base $2 ${*:3}"
    mkdir -p "$1/policy.d" "$1/qubes.d" "$1/services"
}
init server 64200 --listen "127.0.0.1:$port" --peer "home=127.0.0.1:$back"
init home 62400 --listen "127.0.0.1:$back" --peer "server=127.0.0.1:$port"
echo "relay-user = $user" >>home/zone.conf
qube() { printf '%s\n' "${@:3}" >"$1/qubes.d/$2.conf"; }
service() { # FILE SCRIPT
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod 755 "$1"
}
qube home work 'type = AppVM' 'host = qubes'
qube home mail 'type = AppVM' 'host = qubes'
qube home vault 'type = AppVM' 'host = qubes'
qube home server-echo 'type = RemoteVM' 'zone = server' 'remote-name = echo'
qube home server-other 'type = RemoteVM' 'zone = server' 'remote-name = other'
qube home server-caller 'type = RemoteVM' 'zone = server' 'remote-name = caller'
cat >home/policy.d/30-t.policy <<'END'
*       * work          @anyvm allow
*       * server-caller vault  allow
END
qube server echo 'type = AppVM' 'services = test.Who test.Cat test.Exit'
qube server other 'type = AppVM' 'services = test.Who'
qube server caller 'type = AppVM'
qube server home-work 'type = RemoteVM' 'zone = home' 'remote-name = work'
qube server home-vault 'type = RemoteVM' 'zone = home' 'remote-name = vault'
service server/services/test.Who 'echo "$QREXEC_REMOTE_DOMAIN asks $QREXEC_SERVICE_FULL_NAME"'
service server/services/test.Cat 'exec cat'
service server/services/test.Exit 'exit "$1"'
cat >server/policy.d/30-t.policy <<'END'
test.Secret * home-work echo   deny
*           * home-work @anyvm allow
*           * caller    @anyvm allow
END
for z in server home; do run "qair -z $z zone start"; done
for z in server home; do
    zones_enrol "$z"
    zones_approve "$z"
done
for z in server home; do
    run "cp -r owner/pack/. $z/pack/ && qair -z $z zone reload"
done

# ---- the Qubes host ------------------------------------------------------

mkdir -p host/{run,vchan,policy.d,none}
export VCHAN_SOCKET_DIR=$work/host/vchan
cat >host/policy.d/30-user.policy <<'END'
qair.Relay  *  @anyvm         @anyvm      deny
test.Ask    *  work           @default    allow target=server-echo
test.Redir  *  work           server-echo allow target=server-other
*           *  work           server-echo allow
test.In     *  server-caller  vault       allow
test.Exit   *  server-caller  vault       allow
END
jq -n 'def qube(n; more): {type: "AppVM", tags: [], internal: null,
    uuid: "11111111-0000-0000-0000-00000000000\(n)",
    template_for_dispvms: false, default_dispvm: null, icon: "appvm-red",
    guivm: null, relayvm: null, transport_rpc: null, power_state: "Running"}
    + more;
def remote: {type: "RemoteVM", relayvm: "sys-relay",
    transport_rpc: "qair.Relay"};
{domains: {
    dom0: qube(0; {type: "AdminVM", uuid: "00000000-0000-0000-0000-000000000000"}),
    work: qube(1; {}), mail: qube(2; {}), vault: qube(3; {}),
    "sys-relay": qube(4; {}), "server-echo": qube(5; remote),
    "server-other": qube(6; remote), "server-caller": qube(7; remote)
}}' >host/info.json
"$stub" "$work/host" &
host_pids+=($!)
wait_until 20 test -S host/qubesd.internal.sock
"$build/qrexec-policy-daemon" --policy-path "$work/host/policy.d" \
    --compat-path "$work/host/none" --rpc-path "$work/host/none" \
    --socket-path "$work/host/policy.sock" \
    --eval-socket-path "$work/host/eval.sock" \
    --gui-socket-path "$work/host/gui.sock" \
    --qubesd-socket "$work/host/qubesd.sock" \
    --qubesd-internal-socket "$work/host/qubesd.internal.sock" \
    --stderr 2>host/policy.log &
host_pids+=($!)
wait_until 20 test -S host/policy.sock

# As packaged, for this user.
mkdir host/config
sed "s/'user'/'$user'/" "$top/packaging/qubes/relay/qair.Relay.config" \
    >host/config/qair.Relay

host_qube() { # ID NAME
    mkdir -p "host/$2/rpc" "host/$2/run"
    [ "$(id -u)" != 0 ] || chown -R "$user" "host/$2" host/vchan
    VCHAN_DOMAIN=$1 QREXEC_SERVICE_PATH=$work/host/$2/rpc \
        QUBES_RPC_CONFIG_PATH=$work/host/config \
        "${as[@]}" "$build/qrexec-agent" --no-fork-server \
        --agent-socket="$work/host/$2/run/agent" 2>"host/$2.agent.log" &
    host_pids+=($!)
    VCHAN_DOMAIN=0 "$build/qrexec-daemon" --direct \
        --uuid="11111111-0000-0000-0000-00000000000$3" \
        --socket-dir="$work/host/run" --policy-socket="$work/host/policy.sock" \
        --qubesd-socket="$work/host/qubesd.sock" \
        --log-dir="$work/host" "$1" "$2" "$user" 2>"host/$2.daemon.log" &
    host_pids+=($!)
}
mkdir -p host/sys-relay/rpc host/vault/rpc
# An agent gives services nothing of its own that begins with QAIR_.
service host/sys-relay/rpc/qair.Relay \
    "QAIR_ZONE='$work/home' exec '$build/qair.Relay' \"\$@\""
service host/vault/rpc/test.In 'echo "$QREXEC_REMOTE_DOMAIN"; cat'
service host/vault/rpc/test.Exit 'exit "$1"'
service host/vault/rpc/test.No 'echo never'
host_qube 11 work 1
host_qube 12 mail 2
host_qube 13 vault 3
host_qube 14 sys-relay 4
for q in work mail vault sys-relay; do
    wait_until 30 test -S "host/run/qrexec.$q" || sed 's/^/# /' "host/$q".*.log
    wait_until 30 test -S "host/$q/run/agent" || sed 's/^/# /' "host/$q".*.log
done
from() { # QUBE TARGET SERVICE
    case $1 in work) id=11 ;; mail) id=12 ;; sys-relay) id=14 ;; esac
    VCHAN_DOMAIN=$id timeout 60 "${as[@]}" "$build/qrexec-client-vm" \
        --agent-socket="$work/host/$1/run/agent" "${@:2}"
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

# ---- out -----------------------------------------------------------------

ok "a qube of the host calls a RemoteVM by the host's own dom0" \
    says "home-work asks test.Who+a" from work server-echo test.Who+a
head -c 1000000 /dev/urandom >data
both_ways() { from work server-echo test.Cat <data >back && cmp data back; }
ok "1 MB there and back" both_ways
ok "the exit code comes back" exits 9 from work server-echo test.Exit+9
refuses "the remote zone's refusal reaches the qube, with who refused" \
    "policy of zone server" from work server-echo test.Secret
ok "with qrexec's code for it" exits 126 from work server-echo test.Secret
ok "a redirect by dom0 to another RemoteVM goes to that one" \
    exits 127 from work server-echo test.Redir
redirected() {
    qair -z server log show | grep 'test.Redir' | grep -q ' on other'
}
ok "and the remote zone's log says so" redirected
ok "@default with target= goes to the RemoteVM" \
    exits 127 from work @default test.Ask
ok "a qube without a rule in dom0 is refused there" \
    exits 126 from mail server-echo test.Who
unheard() { ! qair -z home log show | grep -q 'mail'; }
ok "and its relay's zone has not heard of it" unheard
ok "the transport service cannot be called directly" \
    exits 126 from work sys-relay qair.Relay+server-echo+test.Who
denied() { grep -q 'qair.Relay.*30-user.policy:1' host/policy.log; }
ok "by the first rule of dom0" denied

# ---- in ------------------------------------------------------------------

cat >client-vm <<END
#!/bin/sh
exec "$build/qrexec-client-vm" --agent-socket="$work/host/sys-relay/run/agent" "\$@"
END
chmod 755 client-vm
VCHAN_DOMAIN=14 QAIR_ZONE=$work/home "${as[@]}" "$build/qair-relay" \
    --client-vm="$work/client-vm" 2>relay.log &
host_pids+=($!)
to() { qair -z server qube run caller -- qrexec-client-vm "$@"; }
serves() { qair -z home qube list | grep -q '^vault .*on Qubes host'; }
ok "qair-relay serves" wait_until 20 serves
in_ways() {
    to home-vault test.In <data >in.data || return 1
    { echo server-caller; cat data; } | cmp - in.data
}
ok "a call of another zone reaches a qube of the host in the name that home has for it" \
    in_ways
ok "its exit code comes back" exits 5 to home-vault test.Exit+5
ok "what dom0 refuses is 126" exits 126 to home-vault test.No
ok "a relay cannot speak for a qube of the host itself" \
    exits 126 from sys-relay --source-qube=work vault test.In
for z in home server; do
    ok "the log of zone $z verifies" qair -z "$z" log verify
done
end
