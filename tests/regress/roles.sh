#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One zone with all its real roles: how each is caged, what happens when each
# dies or is made to do what it may not, and that nothing is left behind.
# usage: roles.sh BUILD_DIR INJECT_SYSCALL
set -u
bin=$1 inject=$2
for tool in swtpm swtpm_setup bwrap jq openssl; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 77; }
done
dir=$(mktemp -d)
zone=$dir/zone
name=r$$
qair() { timeout 20 "$bin/qair" -z "$zone" "$@"; }
cleanup() {
    qair zone stop >/dev/null 2>&1
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
n=0 failed=0
ok() { # ok NAME COMMAND...
    local name=$1
    shift
    n=$((n + 1))
    if "$@" 2>"$dir/err"; then echo "ok $n - $name"; else
        echo "not ok $n - $name"
        failed=1
        sed 's/^/# /' "$dir/err"
        tail -n 20 "$zone/run/qaird.log" 2>/dev/null | sed 's/^/# /'
    fi
}
until_true() {
    local i
    for i in $(seq 400); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    return 1
}
role() { jq -r ".roles[] | select(.name == \"$1\").$2" "$zone/run/status.json"; }
field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }
# A zombie that nobody has waited for yet has ended all the same.
alive() { case $(ps -o stat= -p "$1") in "" | Z*) return 1 ;; esac; }
says() { grep -q "$1" "$zone/run/qaird.log"; }
back() { # back ROLE OLD_PID: another process of it is ready
    [ "$(role "$1" pid)" != "$2" ] && [ "$(role "$1" ready)" = true ]
}
roles="logd keyd policyd attestd netd calld"

openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null |
    openssl ec -pubout -out "$dir/owner.pub" 2>/dev/null
made() { qair zone init --name $name --owner "$dir/owner.pub" --listen 127.0.0.1:0 >/dev/null; }
ok "init" made
ok "init again is refused" sh -c "! '$bin/qair' -z '$zone' zone init --name $name --owner '$dir/owner.pub'"
printf 'type = AppVM\nservices = *\n' >"$zone/qubes.d/work.conf"
ok "start returns when the zone serves" qair zone start
ok "status says so" sh -c "'$bin/qair' -z '$zone' zone status >/dev/null"
ok "a second start is refused" sh -c "! '$bin/qair' -z '$zone' zone start"
ok "nothing was asked of the sandbox in vain" sh -c "! grep 'sandbox:' '$zone/run/qaird.log'"

for r in $roles; do
    pid=$(role $r pid)
    [ "$pid" -gt 1 ] || continue
    caged() {
        [ "$(field "$pid" Seccomp)" = 2 ] && [ "$(field "$pid" NoNewPrivs)" = 1 ] &&
            [ "$(field "$pid" CapEff)" = 0000000000000000 ] &&
            [ "$(field "$pid" CapBnd)" = 0000000000000000 ]
    }
    ok "$r has a filter and no privileges" caged
    [ "$(id -u)" = 0 ] || continue # an undumpable process shows no more
    ok "$r has an own user" test "$(field "$pid" Uid)" -gt 60000
    ok "$r sees an empty root" test -z "$(ls -A "/proc/$pid/root/")"
    files() { ls -l "/proc/$pid/fd" | grep -c ' -> /.*\.conf\| -> /etc'; }
    ok "$r holds no configuration file" test "$(files)" = 0
done
net=$(readlink "/proc/$(role netd pid)/ns/net" 2>/dev/null)
if [ -n "$net" ]; then
    for r in logd keyd policyd attestd calld; do
        ok "$r has no network" test "$(readlink "/proc/$(role $r pid)/ns/net")" != "$net"
    done
fi

ok "enrolment reaches keyd" qair zone enrol -o "$dir/claim"
if [ "$(id -u)" = 0 ] && [ "$(uname -m)" = x86_64 ]; then
    for r in $roles; do
        pid=$(role $r pid)
        # 39 is getpid, which any role may: the tool itself works
        may() { [ "$(timeout 20 "$inject" "$pid" 39)" = survived ]; }
        ok "$r survives a permitted system call" may
        # 161 is chroot: no role has it
        dies() { [ "$(timeout 20 "$inject" "$pid" 161)" = "signal 31" ]; }
        ok "$r is killed for a forbidden system call" dies
        ok "and the supervisor starts it again" until_true back $r "$pid"
        ok "and says why" until_true says "$r was killed for a forbidden system call"
    done
fi
for r in $roles; do
    pid=$(role $r pid)
    [ "$pid" -gt 1 ] && kill -9 "$pid"
    ok "$r is started again after kill -9" until_true back $r "$pid"
done
ok "the zone works afterwards: enrolment" until_true qair zone enrol -o "$dir/claim2"
for i in $(seq 12); do
    r=$(echo $roles | tr ' ' '\n' | shuf -n 1)
    pid=$(role $r pid)
    [ "$pid" -gt 1 ] && kill -9 "$pid" 2>/dev/null
    sleep "0.0$((RANDOM % 9 + 1))"
done
all_ready() { [ "$(jq '[.roles[] | select(.ready)] | length' "$zone/run/status.json")" = 6 ]; }
ok "twelve kills at random later all roles serve" until_true all_ready
ok "and enrolment works" until_true qair zone enrol -o "$dir/claim3"

hello() { [ "$(qair qube run work -- echo hello 2>>"$dir/run.err")" = hello ]; }
ok "a qube starts and runs a command" until_true hello
running() { [ "$(jq -r '.qubes[].name' "$zone/run/status.json")" = work ]; }
ok "and is listed" running
qube=$(jq '.qubes[].pid' "$zone/run/status.json")
pid=$(role calld pid)
kill -9 "$pid"
gone() { ! alive "$qube"; }
ok "it ends with calld" until_true gone
ok "and starts again" until_true hello

ok "reload hands out the pack" qair zone reload
children=$(pgrep -P "$(cat "$zone/run/qaird.pid")" | tr '\n' ' ')
ok "stop" qair zone stop
none() { for p in $children; do alive "$p" && return 1; done; return 0; }
ok "leaves no process" none
ok "stop again is no failure" qair zone stop
ok "status of a stopped zone is not 0" sh -c "! '$bin/qair' -z '$zone' zone status >/dev/null"

for i in 1 2 3 4 5 6; do
    "$bin/qair" -z "$zone" zone run 2>>"$dir/run.err" &
    pid=$!
    sleep "0.0$((i * i))"
    children=$(pgrep -P $pid | tr '\n' ' ')
    kill -INT $pid
    wait $pid
    until_true none || break
    last=$i
done
ok "run, interrupted at any moment, leaves nothing" test "${last:-0}" = 6
ok "and the zone starts again" qair zone start
kill -9 "$(cat "$zone/run/qaird.pid")"
ok "kill -9 of qaird: start works at once" qair zone start
ok "stop" qair zone stop
ok "no role is left" sh -c "! pgrep -f '^qair-[a-z]+ $name '"
echo "1..$n"
exit $failed
