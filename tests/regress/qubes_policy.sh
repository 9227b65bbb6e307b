#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# qrexec-policy-daemon on a host made of files, with a stand-in for qubesd:
# qubes_policy.sh DAEMON QUBESD-STUB USOCK
set -u
daemon=$(realpath "$1") stub=$(realpath "$2") usock=$(realpath "$3")
dir=$(mktemp -d /tmp/qair-qpol-XXXXXX)
pids=()
cleanup() {
    exec 3>&- 4>&-
    for p in "${pids[@]}"; do kill "$p" 2> /dev/null; done
    wait 2> /dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
n=0

ok() { # NAME CONDITION-COMMAND...
    n=$((n + 1))
    name=$1
    shift
    if "$@"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        sed 's/^/# got: /' "$dir/answer"
        tail -3 "$dir/log" | sed 's/^/# log: /'
    fi
}

req() { # SOURCE TARGET SERVICE [KEY=VALUE...]: the answer on stdout
    printf 'source=%s\nintended_target=%s\nservice_and_arg=%s\n' "$1" "$2" "$3"
    shift 3
    [ $# -eq 0 ] || printf '%s\n' "$@"
    printf '\n'
}
ask() { req "$@" | timeout 20 "$usock" "$dir/policy.sock" > "$dir/answer"; }
says() { # PART: the answer has it
    grep -qF -- "$1" "$dir/answer"
}
lacks() { ! grep -qF -- "$1" "$dir/answer"; }
is_exactly() { [ "$(cat "$dir/answer")" = "$1" ]; }
check() { # NAME PART SOURCE TARGET SERVICE...
    name=$1 part=$2
    shift 2
    ask "$@"
    ok "$name" says "$part"
}
# Waits until a question is answered so: for what takes a reload.
becomes() { # PART SOURCE TARGET SERVICE
    part=$1
    shift
    for _ in $(seq 200); do
        ask "$@"
        says "$part" && return 0
        sleep 0.02
    done
    return 1
}
logged() { # PATTERN [TIMES]
    for _ in $(seq 400); do
        [ "$(grep -cE -- "$1" "$dir/log")" -ge "${2:-1}" ] && return 0
        sleep 0.02
    done
    return 1
}
count() { cat "$dir/$1" 2> /dev/null | wc -c; }
event() { # tells the stub to send an event, and waits until it has
    before=$(count events)
    kill -"${1:-USR1}" "$stub_pid"
    for _ in $(seq 200); do
        [ "$(count events)" -gt "$before" ] && return 0
        sleep 0.02
    done
}

# ---- the host ---------------------------------------------------------------
mkdir -p "$dir"/{run,etc}/policy.d "$dir/etc/policy.d/include" "$dir/compat" \
    "$dir/rpc" "$dir/outside"
# What qubesd tells of its qubes: defaults, and what differs.
cat > "$dir/qubes.jq" << 'JQ'
def qube(uuid; more): {type: "AppVM", tags: [], internal: null,
    uuid: ("11111111-0000-0000-0000-00000000000" + uuid),
    template_for_dispvms: false, default_dispvm: null, icon: "appvm-red",
    guivm: null, relayvm: null, transport_rpc: null, power_state: "Halted"}
    + more;
def remote: {type: "RemoteVM", relayvm: "relay", transport_rpc: "t.Rpc",
    power_state: "Running"};
{domains: ({
    dom0: qube("0"; {type: "AdminVM", tags: ["mark"], power_state: "Running",
        uuid: "00000000-0000-0000-0000-000000000000"}),
    work: qube("1"; {guivm: "gui", default_dispvm: "dvm",
        power_state: "Running", tags: ["mark", "guivm-gui"]}),
    vault: qube("2"; {tags: ["guivm-gui"]}),
    gui: qube("3"; {power_state: "Running"}),
    dvm: qube("4"; {template_for_dispvms: true}),
    relay: qube("5"; {guivm: "gui"}),
    far: qube("6"; remote), near: qube("7"; remote),
    local: qube("8"; {guivm: "dom0"})
} + if $fresh == "" then {} else {($fresh): qube("9"; {})} end)}
JQ
info() { # NAME OF A QUBE MORE
    jq -nc --arg fresh "${1:-}" -f "$dir/qubes.jq" > "$dir/info.new" &&
        mv "$dir/info.new" "$dir/info.json"
}
info
cat > "$dir/etc/policy.d/30-user.policy" << POLICY
s.Allow   *  work   vault    allow
s.User    *  work   vault    allow user=root autostart=no
s.Default *  work   @default allow target=far
s.Redir   *  work   near     allow target=far
s.Disp    *  work   @dispvm  allow
s.Remote  *  far    near     allow
s.Far     *  work   far      allow autostart=no
s.AnyVm   *  @anyvm @anyvm   allow
s.Tag     *  work   @tag:mark    allow
s.Type    *  work   @type:AdminVM allow
s.Ask     *  @anyvm @anyvm   ask default_target=vault
s.AskFar  *  far    @anyvm   ask
s.AskRem  *  work   @anyvm   ask target=far
s.Notify  *  work   vault    allow notify=yes
s.Quiet   *  work   vault    deny notify=no
s.FromFar *  far    vault    allow
s.FromFar *  far    dom0     allow
!include $dir/outside/rules
POLICY
echo 's.Out * work vault allow' > "$dir/outside/rules"

# A qrexec-client for questions: what it is called with, what it is told, and
# the answer that stands in a file.
cat > "$dir/qrexec-client" << 'CLIENT'
#!/bin/sh
dir=$(dirname "$0")
case "$3" in
*policy.Notify*) cat > "$dir/tmp.$$"; mv "$dir/tmp.$$" "$dir/notice.$$"
    while [ -e "$dir/notice-later" ]; do sleep 0.02; done
    exit 0 ;;
esac
echo "$*" > "$dir/asked.args"
cat > "$dir/asked.$$"
mv "$dir/asked.$$" "$dir/asked"
if [ -e "$dir/answer-never" ]; then
    echo $$ > "$dir/asked.pid"
    exec sleep 1000
fi
while [ -e "$dir/answer-later" ]; do sleep 0.02; done
printf '%s' "$(cat "$dir/choice")"
exit "$(cat "$dir/code" 2> /dev/null || echo 0)"
CLIENT
chmod +x "$dir/qrexec-client"

"$stub" "$dir" &
stub_pid=$!
pids+=($!)
for _ in $(seq 200); do [ -S "$dir/qubesd.sock" ] && break; sleep 0.02; done
launch=()
start() {
    "${launch[@]}" "$daemon" --policy-path "$dir/run/policy.d" \
        --policy-path "$dir/etc/policy.d" --compat-path "$dir/compat" \
        --socket-path "$dir/policy.sock" --eval-socket-path "$dir/eval.sock" \
        --gui-socket-path "$dir/gui.sock" --qubesd-socket "$dir/qubesd.sock" \
        --qubesd-internal-socket "$dir/qubesd.internal.sock" \
        --qrexec-client "$dir/qrexec-client" --rpc-path "$dir/rpc" --stderr \
        "$@" 2>> "$dir/log" &
    daemon_pid=$!
    pids+=($!)
    logged 'ready$' || echo "# the daemon does not start"
}
: > "$dir/log"
: > "$dir/answer"
start
logged 'events from qubesd'

# A client that never comes to its end, looked at last.
mkfifo "$dir/hold"
exec 4<> "$dir/hold"
"$usock" "$dir/policy.sock" < "$dir/hold" > "$dir/answer.slow" 4>&- &
slow=$!

# ---- answers -----------------------------------------------------------------
ask work vault s.Allow+x
ok 'allow, whole' is_exactly 'user=DEFAULT
result=allow
target=vault
target_uuid=uuid:11111111-0000-0000-0000-000000000002
autostart=True
requested_target=vault'
ok 'a decision is one line: who, what, rule, id' logged \
    'qrexec: s.Allow\+x: work -> vault: allowed to vault: allowed by 30-user.policy:1 \(request [0-9a-f]{8}-[0-9]+\)$'
check 'autostart=no needs a target that runs' 'reason=30-user.policy:2 allows only targets that run' work vault s.User
check 'no rule' 'reason=no rule matches' work vault s.None
check 'a disposable' 'target=@dispvm:dvm' work @dispvm s.Disp
check 'the word of just_evaluate' 'result=allow' work vault s.Allow just_evaluate=yes
ok 'and nothing but it' is_exactly 'result=allow'
check 'just_evaluate of ask is deny' 'result=deny' work vault s.Ask just_evaluate=yes
check 'unless yes is assumed' 'result=allow' work vault s.Ask just_evaluate=yes assume_yes_for_ask=yes
check 'assumed yes needs a candidate' "is not among" work @default s.Ask assume_yes_for_ask=yes
check 'assumed yes runs the call' 'target=vault' work vault s.Ask assume_yes_for_ask=yes

# ---- qubes-qrexec facts, each by name ------------------------------------------
ask work near s.Redir
ok 'a redirect to another remote: the relay is told the decided one' says 'service=t.Rpc+far+s.Redir+'
ok 'and the caller still sees what was asked for' says 'requested_target=near'
check '@default to a remote: the relay is told the decided one' 'service=t.Rpc+far+s.Default+' work '' s.Default
check 'a remote behind the relay it comes from is refused with a reason' "reason=RemoteVM 'near' is behind 'relay'" relay near s.Remote requested_source=far
check 'autostart=no of a RemoteVM holds for its relay' 'allows only targets that run' work far s.Far
check 'an unknown source matches no @anyvm' 'reason=the caller is no qube' nobody vault s.AnyVm
check 'a tag never matches dom0' 'result=deny' work dom0 s.Tag
check 'a tag matches a qube' 'target=work' gui work s.AnyVm
check 'a type never matches dom0' 'result=deny' work dom0 s.Type
check 'a relay speaks for its RemoteVM' 'policy_source=far' relay vault s.FromFar requested_source=far
ok 'and the record names both' logged 's.FromFar: far -> vault: allowed to vault: .*, by relay relay\)$'
check 'in dom0 too' 'policy_source=far' relay dom0 s.FromFar requested_source=far
check 'nobody else does' 'reason=the caller is not the relay' work vault s.FromFar requested_source=far
check 'nor a relay for what is no RemoteVM' 'reason=the caller is not the relay' relay vault s.AnyVm requested_source=work

# ---- malformed requests: always an answer ---------------------------------------
malformed() { # NAME PART: the request is in $dir/raw
    timeout 20 "$usock" "$dir/policy.sock" < "$dir/raw" > "$dir/answer"
    ok "$1" says "$2"
}
raw() { printf "$@" > "$dir/raw"; }
raw 'source=a\nsource=b\n\n'
malformed 'a key that comes twice' 'reason=policy request: source comes twice'
raw 'source=a\r\n\r\n'
malformed 'CRLF' 'no printable ASCII'
raw 'source=a\0b\n\n'
malformed 'a NUL' 'no printable ASCII'
raw 'source=\377\n\n'
malformed 'a bad byte' 'no printable ASCII'
raw 'domain_id=1\n\n'
malformed 'an unknown key' "reason=policy request: unknown key 'domain_id'"
raw ''
malformed 'nothing' 'reason=policy request: no source'
head -c 100000 /dev/zero | tr '\0' a > "$dir/raw"
malformed 'an endless line' 'reason=policy request: over 8192 bytes'
req work vault "s.Allow+$(head -c 5000 /dev/zero | tr '\0' a)" > "$dir/raw"
malformed 'a service over its limit' 'reason=no service name'
check 'and the next request is well' 'target=vault' work vault s.Allow

# ---- state of the qubes -----------------------------------------------------------
before=$(count fetches)
for _ in 1 2 3 4 5; do ask work vault s.Allow; done
ok 'the state is kept between requests' [ "$(count fetches)" -le $((before + 1)) ]
info fresh
event
check 'an event: the very next answer knows of the new qube' 'target=fresh' work fresh s.AnyVm
touch "$dir/no-events"
event USR2
logged 'no events from qubesd'
info
check 'without events each request fetches' 'reason=' work fresh s.AnyVm
before=$(count fetches)
ask work vault s.Allow
ok 'each' [ "$(count fetches)" -gt "$before" ]
rm "$dir/no-events"
ok 'events come back' logged 'daemon: events from qubesd$' 2
touch "$dir/error"
event
check 'qubesd refuses its state: deny, and why' 'reason=qubesd refuses its system state: QubesException' work vault s.Allow
rm "$dir/error"
echo '{"domains":{"x' > "$dir/info.json"
event
check 'qubesd tells rubbish: deny, and why' 'reason=system information of qubesd' work vault s.Allow
info
event
check 'and when it is well again, it is' 'target=vault' work vault s.Allow
touch "$dir/silent"
event
ask work vault s.Allow
ok 'qubesd is silent: deny, and why' says 'reason=qubesd d'
rm "$dir/silent"
event
check 'until it speaks' 'target=vault' work vault s.Allow

# ---- questions -----------------------------------------------------------------------
asked() { jq -e "$1" "$dir/asked" > /dev/null; }
printf 'allow:vault' > "$dir/choice"
ask work vault s.Ask+arg
ok 'ask: the person allows' says 'target=vault'
ok 'the GuiVM is asked through qrexec-client' [ "$(cat "$dir/asked.args")" = '-d gui DEFAULT:QUBESRPC policy.Ask dom0' ]
ok 'in the words of Qubes' asked '.source == "work" and .service == "s.Ask" and
    .argument == "+arg" and .default_target == "vault" and
    (.targets | index("vault") and index("@dispvm:dvm") and index("far")) and
    (.targets | index("work") | not) and .icons.work == "appvm-red" and
    .icons["@dispvm:dvm"] == "dispvm-red"'
printf 'deny' > "$dir/choice"
check 'the person denies' 'asks: denied by the person' work vault s.Ask
printf 'allow:work' > "$dir/choice"
check 'a choice that was not offered' "'work' is not among" work vault s.Ask
printf 'allow:dom0' > "$dir/choice"
check 'dom0 when it was not offered' "'dom0' is not among" work vault s.Ask
printf 'yes please' > "$dir/choice"
check 'no answer that is known' 'asks: policy.Ask gave no answer' work vault s.Ask
printf 'allow:%0200d' 1 > "$dir/choice"
check 'an answer without end' 'asks: policy.Ask: the answer is over' work vault s.Ask
printf 'allow:vault' > "$dir/choice"
echo 126 > "$dir/code"
check 'the GuiVM refuses the question' 'asks: policy.Ask: qrexec-client ended with code 126' work vault s.Ask
rm "$dir/code"
printf 'allow:far' > "$dir/choice"
check 'ask with a redirect to a remote: the decided one is called' 'service=t.Rpc+far+s.AskRem+' work vault s.AskRem
printf 'allow:vault' > "$dir/choice"
check 'a call from a RemoteVM is asked about in its relay'"'"'s GuiVM' 'policy_source=far' relay vault s.AskFar requested_source=far
ok 'as a call of the RemoteVM' asked '.source == "far"'
mv "$dir/qrexec-client" "$dir/gone"
check 'no qrexec-client' "asks: cannot run '$dir/qrexec-client': No such file" work vault s.Ask
mv "$dir/gone" "$dir/qrexec-client"
check 'a caller without a GuiVM' 'reason=30-user.policy:11 asks: the caller has no GuiVM' gui vault s.Ask
timeout 20 "$usock" --serve "$dir/rpc/policy.Ask" allow:vault &
for _ in $(seq 200); do [ -S "$dir/rpc/policy.Ask" ] && break; sleep 0.02; done
check 'dom0 as the GuiVM is asked by its socket' 'target=vault' local vault s.Ask
ok 'with the descriptor first' grep -qa '^policy.Ask dom0 name dom0' "$dir/rpc/policy.Ask.got"
# A question that stays open.
open_question() { # ANSWER-FILE: pid of the asker in $asker
    "$usock" "$dir/policy.sock" < "$dir/raw.ask" > "$1" &
    asker=$!
    askers+=("$asker")
}
askers=()
req work vault s.Ask > "$dir/raw.ask"
touch "$dir/answer-never"
rm -f "$dir/asked.pid"
open_question "$dir/answer.gone"
for _ in $(seq 200); do [ -s "$dir/asked.pid" ] && break; sleep 0.02; done
pid=$(cat "$dir/asked.pid")
check 'a question holds nobody back' 'target=vault' work vault s.Allow
kill "$asker"
gone() {
    for _ in $(seq 300); do kill -0 "$1" 2> /dev/null || return 0; sleep 0.02; done
    return 1
}
ok 'a question ends when its asker goes away' gone "$pid"
ok 'and that is recorded' logged 'denied: the asker went away'
for i in 1 2 3 4 5 6 7 8 9; do open_question "$dir/answer.$i"; done
bounded() {
    for _ in $(seq 300); do
        grep -lqF 'too many questions about this caller' "$dir"/answer.[1-9] && return 0
        sleep 0.02
    done
    return 1
}
ok 'one caller does not fill the screen' bounded
check 'and holds nobody back' 'target=vault' work vault s.Allow
rm "$dir/answer-never"
for p in "${askers[@]}"; do kill "$p" 2> /dev/null; done
for p in "${askers[@]}"; do wait "$p" 2> /dev/null; done

# The rules change while a question is open.
printf 'allow:vault' > "$dir/choice"
touch "$dir/answer-later"
rm -f "$dir/asked"
open_question "$dir/answer.late"
for _ in $(seq 200); do [ -s "$dir/asked" ] && break; sleep 0.02; done
late=$asker
echo 's.Ask * work vault deny' > "$dir/run/policy.d/20-late.policy"
ok 'a rule that changes while a question is open' becomes 'reason=denied by 20-late.policy:1' work vault s.Ask just_evaluate=yes
rm "$dir/answer-later"
wait "$late" 2> /dev/null
cp "$dir/answer.late" "$dir/answer"
ok 'decides, and not the answer' says 'reason=denied by 20-late.policy:1'
rm "$dir/run/policy.d/20-late.policy"
becomes 'result=allow' work vault s.Ask just_evaluate=yes assume_yes_for_ask=yes

# ---- notices ----------------------------------------------------------------------------
shown() { # JQ-CONDITION: a notice has come that is so
    set -- "$1" "$dir"/notice.*
    [ -e "$2" ] && [ "$(jq -s "map(select($1)) | length" "${@:2}")" -gt 0 ]
}
noticed() {
    for _ in $(seq 200); do
        shown "$1" && return 0
        sleep 0.02
    done
    return 1
}
unnoticed() { ! shown "$1"; }
forget() { rm -f "$dir"/notice.*; }
forget
ask work vault s.Notify
ok 'an allow with notify=yes is shown' noticed \
    '.resolution == "allow" and .source == "work" and .target == "vault"'
forget
ask work vault s.Quiet
ask work vault s.None just_evaluate=yes
ask work vault s.Allow
ask work vault s.None+last
ok 'a deny is' noticed \
    '.resolution == "deny" and .service == "s.None" and .argument == "+last"'
ok 'notify=no, just_evaluate and a plain allow are not' unnoticed \
    '.service == "s.Quiet" or .service == "s.Allow" or
     (.service == "s.None" and .argument == "+")'

forget
touch "$dir/notice-later"
for i in 1 2 3 4 5 6; do ask work vault "s.None+$i"; done
row='.service == "s.None" and (.argument | test("[+][1-6]"))'
two() {
    noticed "$row"
    ask work vault s.Allow # whatever was started for the six has begun
    ! [ "$(jq -s "map(select($row)) | length" "$dir"/notice.*)" -gt 2 ]
}
ok 'a caller that is denied in a row is shown twice at once, not six times' two
rm "$dir/notice-later"

# ---- EvalSimple, EvalGUI -------------------------------------------------------------------
evaluate() { # SOCKET DESCRIPTOR SOURCE TARGET
    printf '%s\0%s\0%s' "$2" "$3" "$4" | timeout 20 "$usock" "$dir/$1" > "$dir/answer"
}
evaluate eval.sock 'policy.EvalSimple+s.Allow vault' work vault
ok 'EvalSimple allows' is_exactly 'result=allow'
evaluate eval.sock 'policy.EvalSimple+s.None vault name dom0' work vault
ok 'EvalSimple denies, and gives no reason to a qube' is_exactly 'result=deny'
evaluate eval.sock 'policy.EvalSimple+s.Ask vault' work vault
ok 'EvalSimple takes ask for yes' is_exactly 'result=allow'
evaluate gui.sock 'policy.EvalGUI+s.Allow gui' work vault
ok 'EvalGUI allows the GuiVM of both' is_exactly 'result=allow'
evaluate gui.sock 'policy.EvalGUI+s.Allow work' work vault
ok 'EvalGUI denies another' is_exactly 'result=deny'
evaluate gui.sock 'policy.EvalGUI+s.AnyVm gui' work far
ok 'EvalGUI denies when it shows one of them only' is_exactly 'result=deny'
evaluate eval.sock 'policy.EvalGUI+s.Allow gui' work vault
ok 'a service under another name' is_exactly 'result=deny'
printf 'rubbish' | "$usock" "$dir/eval.sock" > "$dir/answer"
ok 'rubbish' is_exactly 'result=deny'

# ---- many clients ---------------------------------------------------------------------------
exec 3> >(exec "$usock" --silent 256 "$dir/policy.sock" > "$dir/silent.out")
for _ in $(seq 200); do grep -q ready "$dir/silent.out" 2> /dev/null && break; sleep 0.02; done
rm "$dir/silent.out"
check '256 clients are silent, and the next is answered' 'target=vault' work vault s.Allow
exec 3>&-
exec 3> >(exec "$usock" --silent 128 "$dir/eval.sock" > "$dir/silent.out")
for _ in $(seq 200); do grep -q ready "$dir/silent.out" 2> /dev/null && break; sleep 0.02; done
check 'qubes that fill EvalSimple' 'target=vault' work vault s.Allow
evaluate eval.sock 'policy.EvalSimple+s.Allow vault' work vault
ok 'shut out themselves alone' is_exactly 'result=deny'
exec 3>&-
rm "$dir/silent.out"

# ---- the policy changes -----------------------------------------------------------------------
echo 's.Out * work vault deny' > "$dir/outside/rules"
ok 'a file outside that is included, from allow to deny' becomes 'reason=denied by' work vault s.Out
echo 's.Allow * * * deny' > "$dir/run/policy.d/30-user.policy"
ok 'a file in /run hides the one of its name' becomes 'reason=denied by 30-user.policy:1' work vault s.Allow
rm "$dir/run/policy.d/30-user.policy"
ok 'as long as it is there' becomes 'target=vault' work vault s.Allow
echo '!include include/a' > "$dir/etc/policy.d/40-loop.policy"
echo '!include include/b' > "$dir/etc/policy.d/include/a"
echo '!include include/a' > "$dir/etc/policy.d/include/b"
ok 'a loop of includes denies everything, and says where' becomes "reason=include/b:1: 'include/a' includes itself" work vault s.Allow
ok 'also in the log' logged "include/b:1: 'include/a' includes itself: every call is denied"
rm "$dir/etc/policy.d/40-loop.policy"
ok 'until it is mended' becomes 'target=vault' work vault s.Allow
printf '# \xff\n' > "$dir/etc/policy.d/40-byte.policy"
ok 'a bad byte in a comment denies, with an answer' becomes 'reason=40-byte.policy' work vault s.Allow
echo 's.Allow * work vault allow user=root:touch' > "$dir/etc/policy.d/40-byte.policy"
ok 'a user with a colon is an error' becomes 'reason=40-byte.policy:1: ' work vault s.Allow
rm "$dir/etc/policy.d/40-byte.policy"
ok 'and gone again' becomes 'target=vault' work vault s.Allow
cp -r "$dir/etc/policy.d" "$dir/etc/policy.new"
echo 's.Allow * * * deny' > "$dir/etc/policy.new/10-first.policy"
mv "$dir/etc/policy.d" "$dir/etc/policy.old" && mv "$dir/etc/policy.new" "$dir/etc/policy.d"
ok 'a folder that is replaced' becomes 'reason=denied by 10-first.policy:1' work vault s.Allow
rm "$dir/etc/policy.d/10-first.policy"
ok 'is watched from then on' becomes 'target=vault' work vault s.Allow
mv "$dir/run/policy.d" "$dir/run/away"
ok 'a folder that is gone denies everything' becomes 'reason=no folder' work vault s.Allow
mv "$dir/run/away" "$dir/run/policy.d"
ok 'until it is back' becomes 'target=vault' work vault s.Allow

patient() { becomes "$@" || becomes "$@" || becomes "$@"; }
exec 5>> "$dir/etc/policy.d/30-user.policy"
printf '#' >&5
logged 'is being written: the policy before it goes on'
check 'while a file is written the old policy goes on' 'target=vault' work vault s.Allow
ok 'but not for ever' patient "30-user.policy' is being written" work vault s.Allow
exec 5>&-
ok 'until the writer is done' becomes 'target=vault' work vault s.Allow

# ---- time -------------------------------------------------------------------
ok 'who never says its request is not waited for' logged 'denied: the request did not come in time'
exec 4>&-
wait "$slow"
cp "$dir/answer.slow" "$dir/answer"
ok 'and is told so' is_exactly 'result=deny
reason=the request did not come in time'

# ---- start and end --------------------------------------------------------------------------
echo 'not a rule' > "$dir/etc/policy.d/20-bad.policy"
ok 'an error in force' becomes 'reason=20-bad.policy:1: ' work vault s.Allow
kill "$daemon_pid"
wait "$daemon_pid"
ok 'ends when told to' [ $? -eq 0 ]
: > "$dir/log"
start
check 'an error at the start: serves, and denies with the place' 'reason=20-bad.policy:1: ' work vault s.Allow
ok 'and says so' logged '20-bad.policy:1: .*: every call is denied'
rm "$dir/etc/policy.d/20-bad.policy"
ok 'until it is mended, without a start' becomes 'target=vault' work vault s.Allow
kill -HUP "$daemon_pid"
ok 'SIGHUP: the rules are read again' logged 'policy: [0-9]* rules' 2
ok 'the socket is for root and its group' [ "$(stat -c %a "$dir/policy.sock")" = 660 ]
kill "$daemon_pid"
wait "$daemon_pid"
: > "$dir/log"
start --ask-timeout 1
touch "$dir/answer-never"
check 'a question has its time' 'reason=30-user.policy:11 asks: policy.Ask: no answer in time' work vault s.Ask
rm "$dir/answer-never"
kill "$daemon_pid"
wait "$daemon_pid"
: > "$dir/log"
launch=("$usock" --activate "$dir/policy.sock")
start
ino=$(stat -c %i "$dir/policy.sock")
check 'a socket that systemd made is served' 'target=vault' work vault s.Allow
ok 'and is not made anew' [ "$(stat -c %i "$dir/policy.sock")" = "$ino" ]
evaluate eval.sock 'policy.EvalSimple+s.Allow vault' work vault
ok 'the others are' is_exactly 'result=allow'
kill "$daemon_pid"
wait "$daemon_pid"
: > "$dir/log"
launch=()
start --eval-socket-path "$dir/nowhere/eval.sock"
check 'dom0 decides also where EvalSimple cannot be served' 'target=vault' work vault s.Allow
ok 'and says so' logged 'nowhere/eval.sock.*: qubes cannot ask there'
"$daemon" --socket-path "$dir/nowhere/policy.sock" --policy-path "$dir/etc/policy.d" --stderr > "$dir/answer" 2>&1
ok 'without the policy socket there is no daemon' [ $? -eq 1 ]
kill "$daemon_pid"
wait "$daemon_pid"
: > "$dir/log"
launch=(bash -c 'ulimit -n 40; exec "$@"' --)
start
exec 3> >(exec "$usock" --silent 60 "$dir/policy.sock" > "$dir/silent.out")
for _ in $(seq 200); do grep -q ready "$dir/silent.out" 2> /dev/null && break; sleep 0.02; done
check 'without descriptors it waits for some' 'target=vault' work vault s.Allow
ok 'and said so' logged 'cannot accept: Too many open files'
exec 3>&-
"$daemon" --ask-timeout x > "$dir/answer" 2>&1
ok 'a bad value is misuse' [ $? -eq 2 ]
"$daemon" --bogus > "$dir/answer" 2>&1
ok 'an unknown option is misuse' [ $? -eq 2 ]
"$daemon" --help > "$dir/answer"
ok '--help' says '--policy-path DIR'
echo "1..$n"
