#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What breaks upstream's stack must not break ours: over-long requests, many
# callers at once, a policy daemon that is away, relays and their claims, exit
# codes, ends that go away.  qubes_robust.sh BUILD-ROOT QUBESD-STUB QUBES-RAW
set -u
. "$(dirname "$0")/qubes_host.sh"
host_begin "$@"

host_qube work 1
host_qube vault 2
host_qube relay 3
host_qube far 4 '{"type": "RemoteVM", "relayvm": "relay",
    "transport_rpc": "t.Rpc"}'
host_qube other 5 '{"type": "RemoteVM", "relayvm": "work",
    "transport_rpc": "t.Rpc"}'
host_qube rogue 6
host_rules << 'RULES'
t.Echo   * work  vault allow
t.Exit   * work  vault allow
t.Not    * work  vault allow
t.Talk   * work  vault allow
t.Deaf   * work  vault allow
t.Dom0   * work  dom0  allow
t.Gone   * work  ghost allow
t.Relay  * relay vault allow
t.Echo   * rogue vault allow
t.Relay  * far   vault deny
t.Far    * far   vault allow
t.Far    * other vault allow
t.Rem    * work  far   allow
RULES
service vault t.Echo << 'SH'
#!/bin/sh
echo "$QREXEC_REMOTE_DOMAIN ${#1}"
cat
SH
service vault t.Exit << 'SH'
#!/bin/sh
exit "$1"
SH
service vault t.Talk << SH
#!/bin/sh
echo \$\$ > $dir/talk.pid
exec yes
SH
service vault t.Deaf << SH
#!/bin/sh
echo \$\$ > $dir/deaf.pid
while [ ! -e $dir/deaf.go ]; do sleep 0.05; done
exec cat > /dev/null
SH
echo 'no program' > qube-vault/rpc/t.Not
chmod 644 qube-vault/rpc/t.Not
service vault t.Relay << SH
#!/bin/sh
echo "ran as \$QREXEC_REMOTE_DOMAIN" | tee -a $dir/ran
SH
cp qube-vault/rpc/t.Relay qube-vault/rpc/t.Far
service relay t.Rpc << 'SH'
#!/bin/sh
echo "relay told: $1, by $QREXEC_REMOTE_DOMAIN"
SH
service dom0 t.Dom0 << 'SH'
#!/bin/sh
echo "dom0: $QREXEC_REMOTE_DOMAIN $QREXEC_REQUESTED_TARGET_TYPE"
SH
: > ran
host_start
qube_up work vault relay rogue

letters() { head -c "$1" /dev/zero | tr '\0' a; }
raw() { timeout 40 "$bin/qubes-raw" "$@" < /dev/null > out 2> err; }
refused() { # [REASON]: the last call was refused, with upstream's word or ours
    [ "$rc" = 126 ] && [ ! -s out ] && grep -qi 'refused' err
}
quick() { [ $((SECONDS - began)) -lt 15 ]; }

# ---- one call ----------------------------------------------------------------
from work vault t.Echo+abc
is 'a call between two qubes' 0 'work 3'
printf 'to the end' > in
rc=0
client work vault t.Echo < in > out 2> err || rc=$?
is 'carries stdin to the service and back' 0 "work 0
to the end"
from work dom0 t.Dom0
is 'a service of dom0' 0 'dom0: work name'

# ---- 2.5: a request over the agent's control ring blocks the agent for ever ----
began=$SECONDS
from work vault "t.Echo+$(letters 3893)"
is 'a service descriptor of 3,900 bytes' 0 'work 3893'
from work vault "t.Echo+$(letters 59993)"
ok 'one of 60,000 bytes is refused' refused
from work vault t.Echo+short
is 'and the next short one works' 0 'work 5'
raw trigger qube-work/agent.sock vault 3935
ok 'a program of the qube that writes the agent itself: 3,935 are taken' \
    grep -q allowed out
for len in 3936 4096 60000 65000 65001 70000; do
    raw trigger qube-work/agent.sock vault $len
    ok "$len are refused" grep -q refused out
done
from work vault t.Echo+short
is 'and the next short one works again' 0 'work 5'
ok 'none of them waited' quick

# ---- 11059: many calls at once -------------------------------------------------
echo_once() { # NUMBER
    local got
    got=$(client work vault "t.Echo+$1" < /dev/null 2>> many.err)
    [ "$got" = "work ${#1}" ] || echo "call $1: $got" >> many.failed
}
many() { # COUNT AT-ONCE
    : > many.failed
    : > many.err
    local i
    for i in $(seq "$2"); do
        (
            c=$i
            while [ "$c" -le "$1" ]; do
                echo_once "$c"
                c=$((c + $2))
            done
        ) &
        callers[i]=$!
    done
    wait "${callers[@]}"
    cp many.failed out
    cp many.err err
    [ ! -s many.failed ]
}
callers=()
ok '200 calls, 16 at once: none fails, none stalls' many 200 16

# ---- programs of a qube that do harm to their own agent ------------------------
# A child reads its orders from a pipe that this shell keeps open.
hold() { # WORD...: starts qubes-raw, waits until it holds its connections
    mkfifo hold.in
    "$bin/qubes-raw" "$@" < hold.in > hold.out 2>> log &
    pid_of[hold]=$!
    exec 8> hold.in
    wait_for grep -q holding hold.out
}
release() {
    exec 8>&-
    wait "${pid_of[hold]}"
    unset 'pid_of[hold]'
    rm -f hold.in hold.out
}
hold half qube-work/agent.sock 100
from work vault t.Echo+x
is '100 half requests keep nobody waiting' 0 'work 1'
release
hold flood qube-rogue/agent.sock vault 300
from relay vault t.Relay
is '300 callers of one qube that never come: another qube is served' 0 \
    'ran as relay'
release
from relay vault t.Relay
is 'and after they are gone' 0 'ran as relay'
from rogue work t.Echo
ok 'and the rogue is judged as ever' refused

# ---- ends that do not take what they are sent -----------------------------------
gone() { ! kill -0 "$(cat "$1")"; }
mkfifo unread
client_alone work vault t.Talk < /dev/null > unread 2>> log &
pid_of[talk]=$!
exec 7< unread
client_alone work vault t.Deaf < /dev/zero > /dev/null 2>> log &
pid_of[deaf]=$!
wait_for test -s talk.pid
wait_for test -s deaf.pid
from work vault t.Echo+x
is 'a caller that never reads and a service that never reads hold nobody' \
    0 'work 1'
kill "${pid_of[talk]}" "${pid_of[deaf]}"
exec 7<&-
ok 'a caller that goes away ends its service, which was talking' \
    wait_for gone talk.pid
touch deaf.go
ok 'one that was deaf hears the end when it listens' wait_for gone deaf.pid
wait "${pid_of[talk]}" "${pid_of[deaf]}" 2> /dev/null
unset 'pid_of[talk]' 'pid_of[deaf]'

# ---- 2.4, 3.2: relays ----------------------------------------------------------
from work far t.Rem+1
is 'a call to a RemoteVM is its relay told of' 0 \
    'relay told: far+t.Rem+1, by work'
from relay vault t.Relay
is 'the relay itself may call' 0 'ran as relay'
: > ran
from relay --source-qube=far vault t.Relay
ok 'what it passes on for a remote is judged as that remote: refused' refused
from relay --source-qube=far vault t.Far
is 'and runs as that remote' 0 'ran as far'
for claim in other vault relay nobody dom0 @adminvm; do
    from relay --source-qube=$claim vault t.Relay
    ok "a claim to be $claim is refused" refused
done
from work --source-qube=far vault t.Far
ok 'a qube that is not the relay may not claim the remote' refused
ok 'nothing ran under a wrong name' [ "$(cat ran)" = 'ran as far' ]

# ---- 2.5: the fallback program gets no requested_source ------------------------
: > ran
stop policy
from work vault t.Echo
ok 'the policy daemon is down: refused' refused
from relay --source-qube=far vault t.Relay
ok 'a relayed call too' refused
ok 'and nothing ran' [ ! -s ran ]
host_policy
from work vault t.Echo+abc
is 'the policy daemon is back: calls work again' 0 'work 3'
kill -STOP "${pid_of[policy]}"
began=$SECONDS
client work vault t.Echo+stopped < /dev/null > out2 2> err2 &
waits=$!
sleep 0.3
ok 'a policy daemon that hangs holds the call, it does not let it pass' \
    [ ! -s out2 ]
kill -CONT "${pid_of[policy]}"
rc=0
wait $waits || rc=$?
cp out2 out
cp err2 err
is 'and when it goes on so does the call' 0 'work 7'

cat > program << SH
#!/bin/sh
echo "\$*" >> $dir/program.args
exit 0
SH
chmod 755 program
stop daemon-relay policy
daemon_options="--policy-socket=$dir/policy.sock --qubesd-socket=$dir/qubesd.sock
    --policy-program=$dir/program"
host_daemon relay
wait_for test -S run/qrexec.3
: > program.args
from relay vault t.Relay
ok 'a fallback program that is named decides when the daemon is down' \
    grep -qx -- '-- relay vault t.Relay+*' program.args
: > program.args
: > ran
from relay --source-qube=far vault t.Relay
never_as_the_relay() {
    [ ! -s ran ] && refused && ! grep -q -- '-- relay ' program.args
}
ok 'but a relayed call is not put to it as a call of the relay' \
    never_as_the_relay
unset daemon_options
stop daemon-relay
host_policy
host_daemon relay
wait_for test -S run/qrexec.3

# ---- exit codes ----------------------------------------------------------------
for code in 0 1 125 126 127 255; do
    from work vault t.Exit+$code
    is "a service's own $code" $code ''
    [ $code != 126 ] || ok 'its 126 is told apart from a refusal' \
        [ ! -s err ]
done
from work vault t.None
ok 'no rule: 126, and it says refused' refused
from work vault t.Not
is 'a service that cannot be run' 125 ''
rm qube-vault/rpc/t.Not
from work vault t.Not
is 'no such service' 127 ''
from work ghost t.Gone
ok 'no such qube' refused

# ---- 10740: what fails says why ------------------------------------------------
service vault t.Echo << SH
#!/bin/sh
echo \$\$ > $dir/service.pid
exec sleep 1000
SH
client work vault t.Echo < /dev/null > out2 2> err2 &
waits=$!
wait_for test -s service.pid
lines=$(wc -l < log)
stop agent-vault
said() { tail -n +$((lines + 1)) log | grep -qiE "$1"; }
ok "the daemon says that the qube's agent went away" \
    wait_for said 'vault.*agent|agent.*vault'
lines=$(wc -l < log)
from work vault t.Echo
ok 'a call to a qube whose agent is away is refused' refused
ok 'and the log says why' said 'vault'
kill "$(cat service.pid)" 2> /dev/null
rc=0
wait $waits || rc=$?
result "$([ $rc != 0 ]; echo $?)" \
    "a call whose service is killed does not end as a success ($rc)"
service vault t.Echo << 'SH'
#!/bin/sh
echo "$QREXEC_REMOTE_DOMAIN ${#1}"
cat
SH
host_agent vault
ok 'the agent starts again: the daemon finds it' \
    wait_for test -S run/qrexec.2
works() { from work vault t.Echo+x; [ "$rc" = 0 ]; }
ok 'and calls work again' wait_for works
stop daemon-vault
from work vault t.Echo
ok "a qube whose daemon is away is refused, its own daemon's socket gone" \
    refused
host_daemon vault
wait_for test -S run/qrexec.2
from work vault t.Echo+abc
is 'and is served when it is back' 0 'work 3'
host_done
