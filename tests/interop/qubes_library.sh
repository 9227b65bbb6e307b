#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libqair-qrexec on a Qubes host: its examples make and serve calls between two
# qubes, over agents, daemons and the vchan.
# qubes_library.sh BUILD-ROOT QUBESD-STUB QUBES-RAW QREXEC-CALL QREXEC-SERVE
set -u
. "$(dirname "$0")/qubes_host.sh"
host_begin "$@"

host_qube work 1
host_qube vault 2
host_rules << 'RULES'
t.Echo  * work  vault    allow
t.Echo  * work  @default allow target=vault
t.Size  * work  vault    allow
t.Sleep * work  vault    allow
t.Gone  * work  vault    allow
t.126   * work  vault    allow
example.Serve * work vault allow
RULES
service vault t.Echo << 'SH'
#!/bin/sh
echo "$QREXEC_REMOTE_DOMAIN asks ${1:-nothing}"
cat
exit 9
SH
service vault t.Size << 'SH'
#!/bin/sh
byte=$(cat)
head -c 3000000 /dev/zero | tr '\0' "$byte"
SH
service vault t.Sleep << SH
#!/bin/sh
echo \$\$ > $dir/sleeper
exec sleep 300
SH
service vault t.126 << 'SH'
#!/bin/sh
exit 126
SH

call() { # TARGET SERVICE LINE: sets rc; files out, err
    rc=0
    VCHAN_DOMAIN=1 QREXEC_AGENT_SOCKET=$dir/qube-work/agent.sock timeout 60 \
        "$bin/example-qrexec-call" "$@" > out 2> err || rc=$?
}
says() { grep -q "$1" err; } # WORDS, on stderr

host_start
qube_up work vault
"$bin/example-qrexec-serve" "$dir/qube-vault/rpc/example.Serve" 2>> log &
pid_of[serve]=$!
wait_for test -S qube-vault/rpc/example.Serve

call vault t.Echo+arg line
is "a call, its streams, its exit code" 9 "work asks arg
line"
call @default t.Echo line
is "the policy chooses the target" 9 "work asks nothing
line"
call vault t.Size x
ok "megabytes come through the vchan" \
    test "$rc $(wc -c < out) $(tr -d x < out | wc -c)" = "0 3000000 0"
call vault t.No line
is "a refusal ends with 126" 126 ""
ok "and is said to be one" says '^refused by'
call vault t.126 line
is "a service's own 126 ends so too" 126 ""
ok "and is not said to be a refusal" test ! -s err
call vault t.Gone line
is "no such service" 127 ""
call vault example.Serve+a ping
is "a socket service made with the library" 0 "work calls example.Serve+a
ping"
call vault example.Serve pong
is "the same process once more" 0 "work calls example.Serve+
pong"

VCHAN_DOMAIN=1 QREXEC_AGENT_SOCKET=$dir/qube-work/agent.sock \
    "$bin/example-qrexec-call" vault t.Sleep x > out 2> err &
pid_of[caller]=$!
wait_for test -s sleeper
stop caller
call vault t.Echo+after line
is "a caller that died harms no later call" 9 "work asks after
line"
kill "$(cat sleeper)" 2> /dev/null
host_done
