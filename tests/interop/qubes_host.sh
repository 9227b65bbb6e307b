# SPDX-License-Identifier: Apache-2.0
# Sourced: a Qubes host made of files.  Its qubes are an agent each over the
# socket vchan; dom0 is a daemon for each of them, a policy daemon and a
# stand-in for qubesd.  TAP on stdout.
#
#   host_begin BUILD-ROOT QUBESD-STUB QUBES-RAW [PROGRAM...]
#                                       a private folder $dir, and all
#                                       programs in its bin/; as root the
#                                       script starts again as nobody, because
#                                       an agent that is root opens sessions
#   host_rules < RULES                  the host's one policy file
#   host_start                          qubesd, policy daemon
#   host_qube NAME ID [MORE-INFO]       only known to qubesd
#   host_daemon NAME, host_agent NAME   start the two ends of one qube
#   service QUBE NAME < SCRIPT          put a service into a qube
#   from QUBE [OPTION...] TARGET SERVICE   qrexec-client-vm there
#
# Which programs play a part: $agent_of_NAME, $daemon_of_NAME, $client_of_NAME
# (default: ours); $daemon_options go to every daemon, $options_of_NAME
# instead of them to that one's.

export dir
declare -A id_of pid_of
n=0

host_begin() {
    if [ -z "${QAIR_HOST_DIR:-}" ]; then
        QAIR_HOST_DIR=$(mktemp -d /tmp/qair-host-XXXXXX)
        mkdir "$QAIR_HOST_DIR/bin"
        for p in qrexec-agent qrexec-client-vm qrexec-daemon qrexec-client \
            qrexec-policy-daemon; do
            cp "$1/$p" "$QAIR_HOST_DIR/bin/"
        done
        cp "$2" "$QAIR_HOST_DIR/bin/qubesd-stub"
        cp "$3" "$QAIR_HOST_DIR/bin/qubes-raw"
        [ $# -le 3 ] || cp "${@:4}" "$QAIR_HOST_DIR/bin/"
        cp "$0" "${BASH_SOURCE[0]}" "$QAIR_HOST_DIR/"
        export QAIR_HOST_DIR
        if [ "$(id -u)" = 0 ]; then
            chown -R nobody "$QAIR_HOST_DIR"
            exec setpriv --reuid=nobody --regid="$(id -g nobody)" \
                --clear-groups -- env HOME=/ USER=nobody LOGNAME=nobody \
                bash "$QAIR_HOST_DIR/$(basename "$0")" "$@"
        fi
    fi
    # The leak check needs to trace the process that ends, which nobody may
    # not everywhere; it then never ends.  Unit tests look for leaks.
    export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
    dir=$QAIR_HOST_DIR
    bin=$dir/bin
    me=$(id -un)
    cd "$dir" || exit 1
    trap host_end EXIT
    trap 'exit 130' INT TERM
    mkdir -p run vchan policy/policy.d compat rpc
    : > log
    : > out
    export VCHAN_SOCKET_DIR=$dir/vchan
    echo '{"domains":{}}' > info.json
    know dom0 '{"type":"AdminVM","power_state":"Running",
        "uuid":"00000000-0000-0000-0000-000000000000"}'
}

host_end() {
    local p
    for p in "${pid_of[@]}"; do kill -CONT "$p" 2> /dev/null; done
    for p in "${pid_of[@]}"; do kill "$p" 2> /dev/null; done
    wait 2> /dev/null
    # An agent's calls outlive it: end those that run a program of $dir.
    for p in /proc/[0-9]*; do
        case $(readlink "$p/exe" 2> /dev/null) in
        "$dir"/*) kill -KILL "${p#/proc/}" 2> /dev/null ;;
        esac
    done
    cd /
    rm -rf "$dir"
}

# wait_for COMMAND...: until it succeeds, at most 30 s
wait_for() {
    local i
    for i in $(seq 1500); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.02
    done
    echo "# waited in vain: $*"
    return 1
}

result() { # STATUS TEXT
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# out: /' out | cut -c1-200 | head -n 12
        sed 's/^/# err: /' err | cut -c1-200 | head -n 8
        tail -n 12 log | sed 's/^/# log: /' | cut -c1-300
    fi
}
ok() { # TEXT COMMAND...
    local text=$1 status=0
    shift
    "$@" || status=$?
    result $status "$text"
}
# is TEXT EXIT-CODE STDOUT: of the last `call`
is() {
    if [ "$rc" = "$2" ] && [ "$(cat out)" = "$3" ]; then
        result 0 "$1"
    else
        echo "# exit $rc (wanted $2), wanted stdout: ${3:0:80}"
        result 1 "$1"
    fi
}
host_done() {
    if grep -qE 'Sanitizer|runtime error' log; then
        grep -E 'Sanitizer|runtime error' log > out
        result 1 'no sanitizer has a word to say'
    fi
    echo "1..$n"
}

know() { # NAME JSON
    jq -c --arg n "$1" --argjson more "$2" '.domains[$n] = {type: "AppVM",
        tags: [], internal: null, template_for_dispvms: false,
        default_dispvm: null, icon: "appvm-red", guivm: null, relayvm: null,
        transport_rpc: null, power_state: "Running"} + $more' \
        info.json > info.new && mv info.new info.json
}

uuid() { printf '11111111-0000-0000-0000-%012d' "$1"; }
host_qube() { # NAME ID [JSON]
    id_of[$1]=$2
    know "$1" "$(jq -nc --arg u "$(uuid "$2")" --argjson m "${3:-{\}}" \
        '{uuid: $u} + $m')"
    mkdir -p "qube-$1/rpc" "qube-$1/config"
}

policy_ready() { [ "$(grep -c 'ready$' log)" -gt "$ready_before" ]; }
host_policy() {
    ready_before=$(grep -c 'ready$' log)
    "$bin/qrexec-policy-daemon" --policy-path "$dir/policy/policy.d" \
        --compat-path "$dir/compat" --socket-path "$dir/policy.sock" \
        --eval-socket-path "$dir/eval.sock" --gui-socket-path "$dir/gui.sock" \
        --qubesd-socket "$dir/qubesd.sock" \
        --qubesd-internal-socket "$dir/qubesd.internal.sock" \
        --qrexec-client "${qrexec_client:-/bin/false}" --rpc-path "$dir/rpc" --stderr 2>> log &
    pid_of[policy]=$!
    wait_for policy_ready
}
host_rules() { cat > policy/policy.d/30-test.policy; }
host_start() {
    "$bin/qubesd-stub" "$dir" &
    pid_of[qubesd]=$!
    wait_for test -S qubesd.internal.sock
    host_policy
}

host_agent() { # NAME
    local var=agent_of_$1
    env VCHAN_DOMAIN="${id_of[$1]}" QREXEC_SERVICE_PATH="$dir/qube-$1/rpc" \
        QUBES_RPC_CONFIG_PATH="$dir/qube-$1/config" \
        "${!var:-$bin/qrexec-agent}" --no-fork-server \
        --agent-socket="$dir/qube-$1/agent.sock" < /dev/null >> log 2>&1 &
    pid_of[agent-$1]=$!
}
host_daemon() { # NAME
    local var=daemon_of_$1 opt=options_of_$1
    local options=${!opt:-${daemon_options:-"--policy-socket=$dir/policy.sock
        --qubesd-socket=$dir/qubesd.sock --uuid=$(uuid "${id_of[$1]}")"}}
    # shellcheck disable=SC2086 # the options are several words
    env VCHAN_DOMAIN=0 QREXEC_SERVICE_PATH="$dir/rpc" \
        QUBES_RPC_CONFIG_PATH="$dir/config" \
        "${!var:-$bin/qrexec-daemon}" --direct --socket-dir="$dir/run" \
        $options "${id_of[$1]}" "$1" "$me" < /dev/null >> log 2>&1 &
    pid_of[daemon-$1]=$!
}
qube_up() { # NAME...
    local q
    for q; do
        host_agent "$q"
        host_daemon "$q"
    done
    for q; do
        wait_for test -S "run/qrexec.${id_of[$q]}"
        wait_for test -S "qube-$q/agent.sock"
    done
}
stop() { # PART...: ends it and waits until it has gone
    local p
    for p; do
        kill "${pid_of[$p]}" 2> /dev/null
        wait "${pid_of[$p]}" 2> /dev/null
        unset "pid_of[$p]"
    done
}

service() { # QUBE NAME
    local to=qube-$1/rpc/$2
    [ "$1" != dom0 ] || to=rpc/$2
    cat > "$to.new"
    chmod 755 "$to.new"
    mv "$to.new" "$to"
}

# The caller's program, by itself: for pipes and for many at once.
client() { # QUBE WORD...
    local q=$1 var=client_of_$1
    shift
    VCHAN_DOMAIN=${id_of[$q]} QREXEC_NO_ROOT=1 timeout 40 \
        "${!var:-$bin/qrexec-client-vm}" \
        --agent-socket="$dir/qube-$q/agent.sock" "$@"
}
# The same without a time, to be started with &: $! is the program itself.
client_alone() { # QUBE WORD...
    local q=$1 var=client_of_$1
    shift
    VCHAN_DOMAIN=${id_of[$q]} exec "${!var:-$bin/qrexec-client-vm}" \
        --agent-socket="$dir/qube-$q/agent.sock" "$@"
}
from() { # QUBE WORD...: sets rc; files out, err
    rc=0
    client "$@" < /dev/null > out 2> err || rc=$?
}
