#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dom0 calls qubes with qrexec-client, through our daemon and our agent:
# streams, exit codes, local programs, time-outs, waiting requests.
# qubes_dom0.sh BUILD-ROOT QUBESD-STUB QUBES-RAW
set -u
. "$(dirname "$0")/qubes_host.sh"
host_begin "$@"

host_qube work 1
host_qube vault 2
host_rules << 'RULES'
t.Slow * work vault allow
RULES
service vault t.Who << 'SH'
#!/bin/sh
echo "$QREXEC_REMOTE_DOMAIN ${QREXEC_SERVICE_ARGUMENT-none} $1"
exit 7
SH
service vault t.Slow << 'SH'
#!/bin/sh
echo started
cat
SH
service dom0 t.Local << 'SH'
#!/bin/sh
cat
echo "to stderr" >&2
exit 9
SH
host_start
qube_up work vault

dom0() { # WORD...: sets rc; files out, err
    rc=0
    VCHAN_DOMAIN=0 QREXEC_SERVICE_PATH=$dir/rpc timeout 40 "$bin/qrexec-client" \
        --socket-dir="$dir/run" --qubesd-socket="$dir/admin.sock" "$@" \
        > out 2> err || rc=$?
}

# ---- a command in a qube -----------------------------------------------------
dom0 -d vault "$me:echo out; echo err >&2; exit 3" < /dev/null
is 'a command: output and exit code' 3 out
ok 'and its stderr' grep -qx err err
dom0 -d vault 'DEFAULT:cat' <<< 'from dom0'
is 'stdin goes there and back, as the default user' 0 'from dom0'
dom0 -d 2 "$me:true" < /dev/null
is 'by domain id' 0 ''
dom0 -d "uuid:$(uuid 2)" "$me:true" < /dev/null
is 'by uuid' 0 ''
dom0 -d vault 'DEFAULT:QUBESRPC t.Who+x dom0' < /dev/null
is 'a service' 7 'dom0 x x'
ok 'calls of dom0 are on record, by name' \
    grep -q "qrexec-daemon vault: dom0 runs $me:QUBESRPC t.Who+x dom0\$" log
dom0 -d vault "$me:true
x qrexec-daemon vault: dom0 runs y" < /dev/null
ok 'and none writes a line of its own' \
    grep -qF "dom0 runs $me:true\\x0ax qrexec-daemon vault: dom0 runs y" log
dom0 -d vault 'DEFAULT:QUBESRPC t.None dom0' < /dev/null
is 'a service that is not there' 127 ''
dom0 -E -d vault "$me:exit 3" < /dev/null
is '-E: the exit code does not matter' 0 ''
dom0 -t -T -d vault "$me:printf 'a\\033[2Jb'; printf '\\007c\\001' >&2" \
    < /dev/null
is '-t: no control bytes reach the terminal' 0 'a_[2Jb'
ok '-T: of stderr neither' [ "$(cat err)" = "$(printf '\007c_')" ]
head -c 3000000 /dev/urandom > big
dom0 -d vault "$me:cat" < big
ok '3 MB there and back' cmp -s big out
dom0 -d vault "$me:kill -KILL \$\$" < /dev/null
is 'a command that is killed' 137 ''

# ---- -l, -e ------------------------------------------------------------------
dom0 -d vault -l "cat > $dir/local.out; echo \$QREXEC_REMOTE_DOMAIN > $dir/who" \
    "$me:echo to dom0; exit 4" < /dev/null
is "-l: the command's exit code, not the program's" 4 ''
ok 'the program has read what the command wrote' \
    [ "$(cat local.out who)" = 'to dom0
vault' ]
dom0 -d vault -l 'echo to vault' "$me:cat > $dir/got" < /dev/null
is 'and the other way round' 0 ''
ok 'the command has read it' [ "$(cat got)" = 'to vault' ]
dom0 -e -d vault "$me:sleep 0.2; echo late > $dir/late" < /dev/null
is '-e does not wait' 0 ''
ok 'and the command runs on' wait_for test -s late

# ---- what goes wrong ---------------------------------------------------------
dom0 -d ghost "$me:true" < /dev/null
is 'a qube that does not run' 125 ''
ok 'and it says so' grep -q 'ghost is not running' err
kill -STOP "${pid_of[agent-vault]}"
began=$SECONDS
dom0 -w 1 -d vault "$me:true" < /dev/null
is '-w: a qube that does not take the call' 125 ''
ok 'and it says so' grep -q 'does not take the call' err
ok 'after a second, not ten' [ $((SECONDS - began)) -lt 8 ]
kill -CONT "${pid_of[agent-vault]}"
dom0 -d vault "$me:true" < /dev/null
is 'the next call works' 0 ''
for words in '' '-d vault' '-d dom0 ls' '-d ../x u:c' '-d vault -e -l ls u:c' \
    '-d vault -c a,b u:c' '-d vault -c a,b,x u:c' '-d vault -w x u:c' \
    '-d vault --none u:c' '-d vault u:c more'; do
    # shellcheck disable=SC2086 # several words
    dom0 $words < /dev/null
    ok "bad arguments: $words" test "$rc" = 2 -a "$(wc -l < err)" -ge 1
done

# ---- -k ----------------------------------------------------------------------
python3 - "$dir/admin.sock" "$dir/admin.said" << 'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
c, _ = s.accept()
said = b""
while (more := c.recv(4096)):
    said += more
c.sendall(b"0\0")
open(sys.argv[2], "wb").write(said)
PY
pid_of[admin]=$!
wait_for test -S admin.sock
dom0 -k -d vault "$me:exit 5" < /dev/null
is '-k: the exit code stays' 5 ''
wait "${pid_of[admin]}"
unset 'pid_of[admin]'
ok 'and qubesd is told to kill it' \
    [ "$(tr '\0' '|' < admin.said)" = 'admin.vm.Kill+ dom0 name vault|' ]

# ---- -c: a request that waits ------------------------------------------------
# The policy service holds the question; a client answers it instead.
kill -STOP "${pid_of[policy]}"
mkfifo hold
client work vault t.Slow < hold > slow.out 2> slow.err &
waits=$!
exec 7> hold
# The agent numbers its requests; this is the first.
connect_it() {
    dom0 "$@" -d vault -c SOCKET1,work,1 'DEFAULT:QUBESRPC t.Slow+ work'
}
# Until the request has come.
until_started() { connect_it < /dev/null; grep -q started slow.out; }
ok '-c connects a request that waits' wait_for until_started
ok 'and that is a success' [ "$rc" = 0 ]
echo data >&7
exec 7>&-
rc=0
wait $waits || rc=$?
cp slow.out out
is 'the call runs to its end' 0 "started
data"
client work vault t.Slow < /dev/null > slow.out 2> slow.err &
waits=$!
connect_dom0() {
    dom0 -d dom0 -c SOCKET2,work,1 'QUBESRPC t.Local+ work name dom0' \
        < /dev/null
    [ "$rc" = 9 ]
}
ok "-c to dom0: the service's exit code" wait_for connect_dom0
ok 'its stderr is dom0'"'"'s' grep -q 'to stderr' err
rc=0
wait $waits || rc=$?
cp slow.out out
cp slow.err err
is 'the caller has it too' 9 ''
ok 'but not the stderr' [ ! -s err ]
kill -CONT "${pid_of[policy]}"
host_done
