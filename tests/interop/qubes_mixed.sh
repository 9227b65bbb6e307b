#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Upstream's programs among ours, each part in turn: qubes_mixed.sh BUILD-ROOT
# QUBESD-STUB QUBES-RAW USOCK.  $QAIR_QREXEC_UPSTREAM: see README.md.
set -u
up=${QAIR_QREXEC_UPSTREAM:-}
for p in agent/qrexec-agent agent/qrexec-client-vm daemon/qrexec-daemon \
    daemon/qrexec-client; do
    if [ -z "$up" ] || [ ! -x "$up/$p" ]; then
        echo "1..0 # SKIP QAIR_QREXEC_UPSTREAM names no built checkout ($p)"
        exit 0
    fi
done
export LD_LIBRARY_PATH=$up/libqrexec${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export QREXEC_MULTIPLEXER_PATH=$up/lib/qubes-rpc-multiplexer
. "$(dirname "$0")/qubes_host.sh"
host_begin "$@"

host_qube work 1
host_qube vault 2
host_rules << 'RULES'
t.Echo  * work vault allow
t.Cat   * work vault allow
t.Exit  * work vault allow
t.Sock  * work vault allow
t.Dom0  * work dom0  allow
RULES
# Upstream's socket vchan loses what is still under way when the other end
# closes, a HELLO too: so no service here is quicker than a handshake, or ends
# as soon as its output does.
service vault t.Echo << 'SH'
#!/bin/sh
sleep 0.1
echo "$QREXEC_REMOTE_DOMAIN ${#1}"
cat
SH
service vault t.Cat << 'SH'
#!/bin/sh
cat
sleep 0.4
SH
service vault t.Exit << 'SH'
#!/bin/sh
sleep 0.1
echo "to stderr" >&2
exit "$1"
SH
service dom0 t.Dom0 << 'SH'
#!/bin/sh
sleep 0.1
echo "dom0: $QREXEC_REMOTE_DOMAIN"
SH
# Over that vchan upstream's service end sleeps 10 s whenever its vchan is full
# (only data wakes it): what it echoes has to fit.
head -c 3000000 /dev/urandom > big
head -c 40000 big > small
host_start

# The program that upstream's daemon asks: it puts the question to our policy
# daemon.  Today's daemon reads the answer and connects by itself; that of
# R4.1 names two words more and wants the call to be made by the program.
cat > program << SH
#!/bin/bash
shift
[ \$# != 5 ] || { id=\$1; ident=\$5; set -- "\$2" "\$3" "\$4"; }
answer=\$(printf 'source=%s\nintended_target=%s\nservice_and_arg=%s\n\n' \\
    "\$1" "\$2" "\$3" | timeout 20 $dir/bin/usock $dir/policy.sock)
[ -z "\${ident:-}" ] || {
    grep -qx result=allow <<< "\$answer" || exit 1
    target=\$(sed -n 's/^target=//p' <<< "\$answer")
    user=DEFAULT:
    [ "\$target" != dom0 ] || user=
    env VCHAN_DOMAIN=0 QREXEC_SERVICE_PATH=$dir/rpc \\
        $up/daemon/qrexec-client --socket-dir=$dir/run -d "\$target" \\
        -c "\$ident,\$1,\$id" "\${user}QUBESRPC \$3 \$1"
    exit 0
}
echo "\$answer"
grep -qx result=allow <<< "\$answer"
SH
chmod 755 program

# What a call must do, whoever carries it.
calls_from_work() { # WHO
    from work vault t.Echo+abc
    is "$1: a call" 0 'work 3'
    from work vault t.Exit+42
    is "$1: the exit code" 42 ''
    ok "$1: stderr" grep -q 'to stderr' err
    rc=0
    size=big
    [ -z "${agent_of_vault:-}" ] || size=small
    client work vault t.Cat < $size > out 2> err || rc=$?
    ok "$1: a $size file there and back" cmp -s $size out
    : > out
    from work vault t.Forbidden
    ok "$1: refused by rule" [ "$rc" = 126 ]
    from work vault t.Echo+again
    is "$1: a call after a refusal" 0 'work 5'
    ok "$1: 24 calls, 6 at once" six_at_once
}
six_at_once() {
    local i
    for i in $(seq 6); do
        for _ in 1 2 3 4; do
            client work vault "t.Echo+$i" < /dev/null
        done > "six.$i" 2>> six.err &
        callers[i]=$!
    done
    wait "${callers[@]}"
    cat six.[1-6] > out
    [ "$(grep -cx 'work 1' out)" = 24 ]
}
callers=()
down() { stop agent-work agent-vault daemon-work daemon-vault; }

qube_up work vault
calls_from_work 'all ours'
client_of_work=$up/agent/qrexec-client-vm
calls_from_work 'their qrexec-client-vm'
rc=0
client work vault t.Cat /bin/sh -c 'echo asked; read -r a; echo "got $a" >&$SAVED_FD_1' \
    < /dev/null > out 2> err || rc=$?
is 'their qrexec-client-vm with a program of its own' 0 'got asked'
from work dom0 t.Dom0
is 'their qrexec-client-vm to dom0' 0 'dom0: work'
down

agent_of_vault=$up/agent/qrexec-agent
unset client_of_work
qube_up work vault
calls_from_work 'their agent is called'
down

agent_of_work=$up/agent/qrexec-agent
unset agent_of_vault
client_of_work=$up/agent/qrexec-client-vm
qube_up work vault
calls_from_work 'their agent and client call'
from work dom0 t.Dom0
is 'their agent and client call dom0' 0 'dom0: work'
down

agent_of_vault=$up/agent/qrexec-agent
qube_up work vault
calls_from_work 'their agents under our daemons'
dom0_client() { # PROGRAM
    rc=0
    env VCHAN_DOMAIN=0 timeout 40 "$1" --socket-dir="$dir/run" -d vault \
        "$me:QUBESRPC t.Echo+four dom0" < /dev/null > out 2> err || rc=$?
}
dom0_client "$bin/qrexec-client"
is 'our qrexec-client, our daemon, their agent' 0 'dom0 4'
dom0_client "$up/daemon/qrexec-client"
is 'their qrexec-client, our daemon, their agent' 0 'dom0 4'
down

# Their daemons judge through the program, which asks our policy daemon.
unset agent_of_work agent_of_vault client_of_work
daemon_of_work=$up/daemon/qrexec-daemon
daemon_of_vault=$daemon_of_work
daemon_options=--policy-program=$dir/program
qube_up work vault
calls_from_work 'our agents under their daemons'
dom0_client "$bin/qrexec-client"
is 'our qrexec-client, their daemon, our agent' 0 'dom0 4'
down

unset daemon_of_work daemon_options
options_of_vault=--policy-program=$dir/program
qube_up work vault
ln -sf qrexec.2 "run/qrexec.uuid:$(uuid 2)"
calls_from_work 'our daemon calls a qube of theirs'
down

unset daemon_of_vault options_of_vault
daemon_of_work=$up/daemon/qrexec-daemon
options_of_work=--policy-program=$dir/program
qube_up work vault
calls_from_work 'their daemon calls a qube of ours'
host_done
