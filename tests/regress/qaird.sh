#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qaird alone, with real role processes that have no job (role_stub.c) and a
# real software TPM: start, restart, relink, refuse, and leave nothing behind.
# usage: qaird.sh QAIRD ROLE_STUB IPC_ASK
set -u
qaird=$1 stub=$2 ask=$3
command -v swtpm >/dev/null || { echo "1..0 # SKIP swtpm is not installed"; exit 77; }

dir=$(mktemp -d)
zone=$dir/zone name=t$$
pids=""
cleanup() {
    for p in $pids; do kill -9 "$p" 2>/dev/null; done
    rm -rf "$dir"
}
trap cleanup EXIT
n=0 failed=0
ok() { # ok NAME COMMAND...
    local name=$1
    shift
    n=$((n + 1))
    if "$@"; then echo "ok $n - $name"; else
        echo "not ok $n - $name"
        failed=1
        tail -n 20 "$dir/log" | sed 's/^/# /'
    fi
}
# Waits up to 20 s for a command to become true.
until_true() {
    local i
    for i in $(seq 400); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}

mkdir -p "$dir/bin"
for r in measure logd keyd policyd attestd netd calld; do
    cp "$stub" "$dir/bin/qair-$r"
done
new_zone() {
    rm -rf "$zone"
    mkdir -p "$zone"/{policy.d/include,qubes.d,services,pack/zones}
    printf 'name = '$name'\nlisten = 127.0.0.1:0\ntpm = swtpm\n' >"$zone/zone.conf"
    echo '* * @anyvm @anyvm deny' >"$zone/policy.d/90-default.policy"
    echo '# nothing' >"$zone/policy.d/include/admin"
    echo 'not policy' >"$zone/policy.d/README"
    echo 'type = AppVM' >"$zone/qubes.d/work.conf"
    echo '{}' >"$zone/pack/zones/other.json"
}
start() { # writes "R" to $dir/ready once the zone serves
    : >"$dir/ready"
    "$qaird" --programs "$dir/bin" --ready-fd 5 "$@" "$zone" 5>"$dir/ready" \
        2>>"$dir/log" &
    pid=$!
    pids="$pids $pid"
}
is_ready() { [ -s "$dir/ready" ]; }
# A zombie that nobody has waited for yet has ended all the same.
is_gone() { case $(ps -o stat= -p "$1") in "" | Z*) ;; *) return 1 ;; esac; }
status() { jq -r "$1" "$zone/run/status.json"; }
pid_of() { status ".roles[] | select(.name == \"$1\").pid"; }
ask() { timeout 20 "$ask" "$zone/run" "$1" "$2"; }
has_words() { # has_words TEXT WORD...
    local text=$1 w
    shift
    for w in "$@"; do
        case " $text " in *" $w "*) ;; *)
            echo "# '$w' not in: $text"
            return 1
            ;;
        esac
    done
}

new_zone
start
ok "starts and says when it serves" until_true is_ready
ok "tells its address" grep -q '^127.0.0.1:[1-9]' "$zone/run/listen"
key=$(ask key.sock STATUS)
ok "keyd has what it may have" has_words "$key" conf=1 pack=1 events=1 keys \
    tpm peer-logd peer-calld peer-netd
ok "keyd has nothing else" sh -c "! echo '$key' | grep -Eq 'policy|log |programs|peer-policyd|peer-attestd'"
call=$(ask call.sock STATUS)
ok "calld has its links" has_words "$call" qubes=1 peer-policyd peer-logd \
    peer-keyd peer-netd
ok "calld has no folder, TPM or policy" sh -c "! echo '$call' | grep -Eq 'policy=|log |keys |tpm'"
ok "the event log stands in run/" test -s "$zone/run/events.bin"
if [ "$(id -u)" = 0 ]; then
    ok "each role has its own user" sh -c "echo '$key' | grep -q uid=64204"
    ok "keys/ belongs to keyd alone" \
        test "$(stat -c '%u %a' "$zone/keys")" = "64204 700"
    ok "log/ belongs to logd" test "$(stat -c %u "$zone/log")" = 64205
fi
ok "local sockets are the owner's" \
    test "$(stat -c '%a' "$zone/run/key.sock")" = 600

second=$("$qaird" --programs "$dir/bin" "$zone" 2>&1)
rc=$?
ok "a second qaird is refused" test "$rc" = 1
ok "and says which pid" sh -c "echo '$second' | grep -q 'pid $pid'"

for r in logd keyd policyd attestd netd calld; do
    old=$(pid_of $r)
    [ "$old" -gt 1 ] && kill -9 "$old"
    back() { [ "$(pid_of $r)" != "$old" ] && [ "$(status ".roles[] | select(.name == \"$r\").ready")" = true ]; }
    ok "$r is started again after kill -9" until_true back
done
relinked() { has_words "$(ask call.sock STATUS)" peer-policyd peer-logd peer-keyd peer-netd; }
ok "and linked again" until_true relinked
has_tpm() { has_words "$(ask key.sock STATUS)" tpm events=1 peer-logd peer-calld peer-netd; }
ok "keyd with its TPM, events and links" until_true has_tpm

old=$(pid_of keyd)
ask key.sock KEY_RELOAD
ok "a forbidden system call ends the role" test $? = 3
back() { [ "$(pid_of keyd)" != "$old" ] && ask key.sock STATUS; }
ok "and the supervisor recovers" until_true back
ok "and says why" grep -q 'keyd was killed for a forbidden system call' "$dir/log"

echo '{}' >"$zone/pack/new.json"
kill -HUP "$pid"
ok "SIGHUP hands out the pack again" \
    until_true grep -q "qair-policyd($name): pack again, with new" "$dir/log"
ok "and nobody else's files" sh -c "! grep -q 'qair-logd($name): pack again' '$dir/log'"

tpm=$(pgrep -P "$pid" swtpm)
old=$(pid_of keyd)
kill -9 "$tpm"
back() { [ "$(pid_of keyd)" != "$old" ] && pgrep -P "$pid" swtpm && has_tpm; }
ok "a software TPM that dies is started again, with keyd" until_true back
ok "and it is said that the state is lost" grep -q 'lost what was measured' "$dir/log"

children=$(pgrep -P "$pid" | tr '\n' ' ')
kill -INT "$pid"
wait "$pid"
ok "SIGINT ends it with code 0" test $? = 0
none_of() { for p in $children; do is_gone "$p" || return 1; done; }
ok "and leaves no process" none_of
ok "and no socket" sh -c "! ls '$zone'/run/*.sock 2>/dev/null"

start
until_true is_ready
children=$(pgrep -P "$pid" | tr '\n' ' ')
kill -9 "$pid"
wait "$pid" 2>/dev/null
ok "kill -9 of qaird leaves no process" until_true none_of
start
ok "and what it left on disk does not hinder the next" until_true is_ready
kill -TERM "$pid"
wait "$pid"

for i in 1 2 3 4 5 6 7 8; do
    start
    sleep "0.0$((i * i))"
    children=$(pgrep -P "$pid" | tr '\n' ' ')
    kill -INT "$pid"
    wait "$pid"
    until_true none_of || { echo "# left: $children"; break; }
    last=$i
done
ok "interrupted at any moment of its start it leaves nothing" test "${last:-0}" = 8
start
ok "and runs again" until_true is_ready
kill -TERM "$pid"
wait "$pid"

start --watch 4
until_true is_ready
old=$(pid_of attestd)
kill -STOP "$old"
back() { [ "$(pid_of attestd)" != "$old" ] && ask call.sock STATUS; }
ok "a role that hangs is started again" until_true back
ok "and says why" grep -q 'attestd does not answer and is killed' "$dir/log"
old=$(pid_of keyd)
kill -STOP "$old"
kill -USR1 "$pid"
back() { [ "$(pid_of keyd)" != "$old" ] && ask key.sock STATUS; }
ok "also one that hangs when it is to end for a change" until_true back
mv "$dir/bin/qair-measure" "$dir/measure"
printf '#!/bin/sh\nexec sleep 1000\n' >"$dir/bin/qair-measure"
chmod 755 "$dir/bin/qair-measure"
old=$(pid_of keyd)
kill -USR1 "$pid"
ok "measuring that hangs leaves the zone as it was" until_true back
ok "and says so" grep -q 'policy not taken: it could not be measured' "$dir/log"
mv "$dir/measure" "$dir/bin/qair-measure"
kill -TERM "$pid"
wait "$pid"

refused() { # refused WORDS: the zone does not start and says WORDS
    local out rc
    out=$(timeout 20 "$qaird" --programs "$dir/bin" "$zone" 2>&1)
    rc=$?
    [ $rc = 1 ] && echo "$out" | grep -q "$1" || { echo "# $rc: $out"; return 1; }
}
echo 'colour = red' >>"$zone/zone.conf"
ok "an unknown key is named with its line" refused "zone.conf:4: unknown key 'colour'"
new_zone
echo 'type = Toaster' >"$zone/qubes.d/work.conf"
ok "a bad qube is named with its line" refused 'qubes.d/work.conf:1: type'
new_zone
ln -s /etc/passwd "$zone/policy.d/10-x.policy"
ok "a link is not policy" refused '10-x.policy'
new_zone
cp /bin/false "$dir/bin/qair-logd"
ok "a role that does not start ends the zone" refused 'logd did not start'
rm "$dir/bin/qair-logd"
ok "a missing program is named" refused 'bin/qair-logd: No such file'
cp "$stub" "$dir/bin/qair-logd"
cp /bin/false "$dir/bin/qair-measure"
ok "a zone that cannot be measured does not start" refused 'could not be measured'
none_left() { ! pgrep -f "^(qair-[a-z]+ $name |.*$dir/)"; }
ok "no process of the test is left" none_left
echo "1..$n"
exit $failed
