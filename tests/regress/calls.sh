#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls in one real zone: its owner's, its qubes', refused ones, and what
# happens to them when services, callers and qubes misbehave.
# TAP; argument: the command qair, beside which all programs stand.
set -u
PATH=$(dirname "$(realpath "$1")"):$PATH
unset QAIR_ZONE
for tool in swtpm swtpm_setup openssl bwrap; do
    command -v "$tool" >/dev/null || {
        echo "1..0 # SKIP $tool is not installed"
        exit 0
    }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/qair-calls.XXXXXX")
cd "$work" || exit 1
finish() {
    qair -z zone zone stop >/dev/null 2>&1
    cd / && rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

n=0 bad=0
# is TEXT WANTED GOT
is() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        bad=1
        echo "not ok $n - $1"
        printf '# wanted: %s\n# got:    %s\n' "$2" "$3" | head -n 20
    fi
}
# run COMMAND...: stdout, then what stderr said, then the exit code
run() {
    "$@" >out 2>err
    local rc=$?
    cat out err
    echo "rc=$rc"
}
owner() { qair -z zone "$@"; }
qube() { owner qube run "$@"; }

# ---- a zone ------------------------------------------------------------

mkdir -p zone/services zone/qubes.d zone/policy.d
service() {
    printf '#!/bin/sh\n%s\n' "$2" >"zone/services/$1"
    chmod 755 "zone/services/$1"
}
service test.Echo 'exec cat'
service test.Who 'echo "$QREXEC_REMOTE_DOMAIN $QREXEC_SERVICE_FULL_NAME $1"'
service test.Exit 'exit "$1"'
service test.Die 'kill -9 $$'
service test.Flood 'head -c 20000000 /dev/zero >&2; echo over'
service test.Deaf 'echo out; sleep 0.2; exit 5'
service test.Hang 'echo started; exec sleep 4321'
service test.Key 'test -n "$QAIR_KEY_FD" && echo "has a key session"'
service policy.Ask 'cat >/home/user/question; cat /home/user/answer'
service test.Mark 'ls "$HOME"; touch "$HOME/mark"; hostname; exec cat'
services='test.Echo test.Who test.Exit test.Die test.Flood test.Deaf test.Hang test.Key'
printf 'type = AppVM\nservices = %s\nkeys = release\n' "$services" >zone/qubes.d/store.conf
printf 'type = AppVM\ndefault-dispvm = mill\n' >zone/qubes.d/work.conf
printf 'type = AppVM\nservices = test.Mark\ntemplate-for-dispvms = yes\n' >zone/qubes.d/mill.conf
printf 'type = AppVM\nguivm = screen\n' >zone/qubes.d/other.conf
printf 'type = AppVM\nservices = policy.Ask\n' >zone/qubes.d/screen.conf
printf 'type = RemoteVM\nzone = far\nremote-name = x\n' >zone/qubes.d/far-x.conf
cat >zone/policy.d/30-test.policy <<'END'
test.Who    +no  @anyvm     store  deny
test.Hang   *    work       store  allow
test.Mark   *    work       @dispvm  allow
test.Mark   *    work       store  allow target=@dispvm:mill
test.Mark   +no  work       @dispvm:mill  allow autostart=no
test.Who    +ask work       @default  ask default_target=store
test.Who    +ask work       other  ask
test.Echo   *    work       @default  ask default_target=store
test.Echo   *    work       other  ask
test.Who    +gui other      @default  ask default_target=store
test.Who    +gui other      store  ask
*           *    work       store  allow user=user
*           *    @adminvm   store  allow
test.Echo   *    work       far-x  allow
END
{
    openssl ecparam -name prime256v1 -genkey -noout -out owner.key &&
        openssl ec -in owner.key -pubout -out owner.pub &&
        owner zone init --name home --owner owner.pub --ca ca &&
        owner zone start
} >setup.log 2>&1 || {
    echo "Bail out! the zone does not start"
    sed 's/^/# /' setup.log
    exit 1
}

# ---- calls -------------------------------------------------------------

is "the owner runs a command in a qube" "hello rc=0" \
    "$(run qube work -- echo hello | xargs)"
is "words of a command stay words, a line is a line" "a  b|2" \
    "$(qube work -- printf '%s' 'a  b')|$(qube work 'echo x; echo y' | wc -l)"
is "exit code, stdout and stderr of a command" "out err rc=9" \
    "$(run qube work 'echo out; echo err >&2; exit 9' | xargs)"
is "the owner calls a service" "dom0 test.Who+a a rc=0" \
    "$(run owner call store test.Who+a | xargs)"
is "a qube calls a service of another" "work test.Who+a a rc=0" \
    "$(run qube work -- qrexec-client-vm store test.Who+a | xargs)"
is "a service with keys gets a key session, or the reason why not" yes \
    "$(case $(run owner call store test.Key 2>&1 </dev/null) in
    *"has a key session"* | *"refused by keyd: "*) echo yes ;; esac)"
head -c 104857600 /dev/urandom >big
qube work -- qrexec-client-vm store test.Echo <big >back
is "100 MiB there and back" "$(sha256sum <big)" "$(sha256sum <back)"
rm -f big back
is "exit codes pass" "rc=42" "$(run owner call store test.Exit+42 | xargs)"
is "a service killed by a signal" "rc=137" "$(run owner call store test.Die)"
is "a service that does not exist" \
    "qair-agent: no service test.None here rc=127" \
    "$(run owner call store test.None | xargs)"
is "a flood of stderr" "20000000 over" \
    "$(owner call store test.Flood 2>err >out; echo "$(stat -c %s err) $(cat out)")"
is "a service that does not read its stdin" "out rc=5" \
    "$(head -c 50000000 /dev/zero | run owner call store test.Deaf | xargs)"

# ---- refusals ----------------------------------------------------------

is "a rule that denies" \
    "qrexec-client-vm: refused by policy of zone home: denied by 30-test.policy:1 rc=126" \
    "$(run qube work -- qrexec-client-vm store test.Who+no | xargs)"
is "no rule at all" "rc=126" \
    "$(run qube other -- qrexec-client-vm store test.Who | tail -n 1)"
is "an unknown target" "rc=126" \
    "$(run qube work -- qrexec-client-vm nowhere test.Who | tail -n 1)"
is "a qube that claims to be another" \
    "qrexec-client-vm: refused by zone home: a qube of this zone speaks for itself alone, not for store rc=126" \
    "$(run qube work -- qrexec-client-vm --source-qube=store store test.Who | xargs)"
is "a remote target without a channel" "rc=126" \
    "$(run qube work -- qrexec-client-vm far-x test.Echo </dev/null | tail -n 1)"
is "a request that is too long, and the next one" "rc=126 work test.Who+ rc=0" \
    "$(run qube work 'qrexec-client-vm store test.Who+$(head -c 60000 /dev/zero | tr "\0" a)' | tail -n 1 | xargs) $(run qube work -- qrexec-client-vm store test.Who | xargs)"
is "a qube that is not there" "rc=126" "$(run qube nowhere -- true | tail -n 1)"
is "a misuse" "rc=2" "$(run owner call store 'not/a/service' | tail -n 1)"

recorded() { # WORDS: how many records have them
    grep -aoh '"payload":"[^"]*"' -r zone/log/tile | cut -d'"' -f4 |
        while read -r p; do base64 -d <<<"$p"; echo; done | grep -c "$1"
}

# ---- disposables -------------------------------------------------------

disposable() { grep -q '"name":"disp' zone/run/status.json; }
until_it() { # COMMAND...: waits for it; says ok
    for _ in $(seq 200); do
        "$@" && { echo ok; return; }
        sleep 0.05
    done
}
none() { ! disposable; }
mkfifo hold
qube work -- qrexec-client-vm @dispvm test.Mark <hold >first &
exec 5>hold
is "a disposable runs during its call" ok "$(until_it disposable)"
exec 5>&-
is "and is gone after it" ok "$(until_it none)"
is "each is fresh and has a name of its own" "disp disp differ" \
    "$(qube work -- qrexec-client-vm @dispvm test.Mark </dev/null >second
    cat first second | tr -d 0-9 | xargs) $(cmp -s first second || echo differ)"
is "a rule may lead to one" "rc=0" \
    "$(run qube work -- qrexec-client-vm store test.Mark </dev/null | tail -n 1)"
is "not with autostart=no" "rc=126" \
    "$(run qube work -- qrexec-client-vm @dispvm:mill test.Mark+no </dev/null | tail -n 1)"
is "nor of a qube that is no template" "rc=126" \
    "$(run qube work -- qrexec-client-vm @dispvm:store test.Mark </dev/null | tail -n 1)"

# ---- a person is asked -------------------------------------------------

ask() { # QUBE SERVICE: begins a call that asks; sets caller and id
    {
        qube "$1" -- qrexec-client-vm @default "$2" </dev/null
        echo "rc=$?"
    } >asked 2>&1 &
    caller=$!
    id=
    for _ in $(seq 200); do
        id=$(owner call list | awk '/ asking /{print $1}')
        [ -n "$id" ] && break
        sleep 0.05
    done
}
told() { # waits for the caller; what it was told
    while kill -0 "$caller" 2>/dev/null; do sleep 0.05; done
    paste -sd ' ' asked
}
ask work test.Who+ask
is "a call that asks is listed with what it may become" "to other store*" \
    "$(owner call list | sed -n 3p | xargs)"
is "the list fits a narrow terminal" "" "$(owner call list | awk 'length > 60')"
is "nothing else than what is offered" "rc=1" \
    "$(run owner call allow "$id" work | tail -n 1)"
is "the owner lets it through" "rc=0" "$(run owner call allow "$id")"
is "and it runs" "work test.Who+ask ask rc=0" "$(told)"
long=$(printf '%0300d' 7)
ask work "test.Echo+$long"
is "and shows all of a long argument" "test.Echo+$long 60" \
    "$(owner call list | sed -n '4,9p' | tr -d ' \n') $(owner call list | wc -L)"
is "the owner may say the target, too" "rc=0" "$(run owner call allow "$id" other)"
is "which may lack the service" "rc=127" "$(told | grep -o 'rc=.*')"
ask work test.Who+ask
is "the owner denies" "rc=0" "$(run owner call deny "$id")"
is "and the caller hears it" \
    "qrexec-client-vm: refused by zone home: denied by the zone's owner rc=126" \
    "$(told)"
ask work test.Who+ask
is "the owner ends a call that asks" "rc=0" "$(run owner call kill "$id")"
is "and the caller hears that" \
    "qrexec-client-vm: refused by zone home: ended by the owner of zone home rc=126" \
    "$(told)"
is "a call that does not ask cannot be answered" "rc=1" \
    "$(run owner call allow "$id" | tail -n 1)"
qube work -- timeout 1 qrexec-client-vm @default test.Who+ask </dev/null >/dev/null 2>&1
nothing_asks() { ! owner call list | grep -q ' asking '; }
is "a program that gives up takes its question along" ok \
    "$(until_it nothing_asks)"
is "which is on record" 1 "$(recorded 'the caller went away before')"
gui() { # ANSWER: what the person in the GuiVM says
    qube screen "printf '%s\n' '$1' >/home/user/answer"
    run qube other -- qrexec-client-vm @default test.Who+gui </dev/null | xargs
}
is "a GuiVM lets a call through" "other test.Who+gui gui rc=0" \
    "$(gui allow:store)"
is "after it was asked in the words of Qubes" \
    '{"argument":"+gui","default_target":"store","icons":{"other":"appvm-red","store":"appvm-red"},"service":"test.Who","source":"other","targets":["store"]}' \
    "$(qube screen cat question)"
is "a GuiVM denies" \
    "qrexec-client-vm: refused by zone home: denied by the person asked in screen rc=126" \
    "$(gui deny)"
is "a GuiVM that lies gets nowhere" "rc=126" "$(gui allow:work | awk '{print $NF}')"
is "questions are on record" 3 "$(recorded ': asked in screen')"

# ---- ends --------------------------------------------------------------

hang() { # starts a hanging call; sets caller
    : >hang.out # not the former one's
    env --default-signal=INT qair -z zone call store test.Hang >hang.out 2>hang.err </dev/null &
    caller=$!
    for _ in $(seq 200); do
        [ -s hang.out ] && return
        sleep 0.05
    done
}
gone() { # COMMAND...: waits until it fails
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 || { echo gone; return; }
        sleep 0.05
    done
    echo "still there"
}
id_of() { owner call list | awk '/ running /{print $1}'; }
hang
is "a running call is listed" \
    "running dom0 store test.Hang+" \
    "$(owner call list --json | jq -r '.calls[] | "\(.state) \(.source) \(.qube) \(.service)"' | sed 's/@adminvm/dom0/')"
is "the list fits a narrow terminal" "" "$(owner call list | awk 'length > 60')"
is "a call that does not run is not ended" "rc=1" \
    "$(run owner call kill 00112233445566778899aabbccddeeff | tail -n 1)"
is "nor is what is no id" "rc=1" "$(run owner call kill x | tail -n 1)"
is "the owner ends a running call" "rc=0" "$(run owner call kill "$(id_of)")"
wait "$caller"
is "its caller is told that it was cut off" 125 "$?"
is "and by whom" "qair call: cut off by zone home: ended by the owner of zone home" \
    "$(cat hang.err)"
is "its service is gone" gone "$(gone pgrep -f 'sleep 4321')"
is "nothing runs any more" "" "$(owner call list)"
is "and the log says who ended it" 1 \
    "$(recorded 'store, test.Hang+: ended by the owner of zone home')"
qube work -- qrexec-client-vm store test.Hang >qube.out 2>/dev/null </dev/null &
caller=$!
for _ in $(seq 200); do [ -s qube.out ] && break; sleep 0.05; done
hang_too=$caller
sed -i '1i test.Hang * work store deny' zone/policy.d/30-test.policy
is "a call goes on while only the file has changed" work \
    "$(owner call list --json | jq -r '.calls[] | select(.service == "test.Hang+").source')"
is "a policy is taken that does not allow it" "rc=0" "$(run owner zone reload --policy)"
wait "$hang_too"
is "and the call ends" 255 "$?"
is "with its service" gone "$(gone pgrep -f 'sleep 4321')"
is "and its reason on record" 1 \
    "$(recorded 'does not allow it any more: denied by 30-test.policy:1')"
sed -i 1d zone/policy.d/30-test.policy
is "the policy before is taken again" "rc=0" "$(run owner zone reload --policy)"
is "and allows it again" "work test.Who+a a rc=0" \
    "$(run qube work -- qrexec-client-vm store test.Who+a | xargs)"
hang
is "a hanging service runs" started "$(cat hang.out)"
kill -INT "$caller"
wait "$caller" 2>/dev/null
is "Ctrl-C ends the call's service" gone "$(gone qube store 'pgrep -x sleep')"
hang
qube store 'kill -9 $(pgrep -o -x qair-agent)' >/dev/null 2>&1
wait "$caller"
is "a qube that dies ends its calls" 125 "$?"
is "and starts again for the next" "rc=0" "$(run owner call store test.Exit+0)"
seq 1000 | xargs -P 16 -I N sh -c \
    'qair -z zone call store test.Exit+0 </dev/null || echo N' >failed 2>&1
is "1000 calls, 16 at a time" "" "$(cat failed)"
pkill -9 -P "$(cat zone/run/qaird.pid)" -x qair-calld
is "calld is started again" "rc=0" "$(
    for _ in $(seq 100); do
        owner call store test.Exit+0 >/dev/null 2>&1 && break
        sleep 0.1
    done
    run owner call store test.Exit+0
)"
is "the list of qubes" "running running" \
    "$(qube work -- true; owner qube list | awk '/^(store|work) /{print $3}' | xargs)"
is "and as JSON" yes "$(owner qube list --json | grep -q '"name":"store","state":"running"' && echo yes)"
owner zone stop >/dev/null 2>&1
is "without a zone the command says what to do" yes \
    "$(run qube work -- true | grep -q "start it with 'qair -z zone zone start'" && echo yes)"

echo "1..$n"
exit "$bad"
