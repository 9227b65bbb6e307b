#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/bench_qubes.sh BUILD-ROOT: calls between two qubes of a Qubes host that
# is made of files: this project's agents, daemons and policy daemon over the
# socket vchan, with 100 rules.  The same figures as a zone's local calls.
set -u
build=$(realpath "${1:-build}")
self=$(dirname "$0")
[ -e "$self/qubes_host.sh" ] || self=$self/../tests/interop
. "$self/qubes_host.sh"
host_begin "$build" "$build/tests/regress/qubesd-stub" \
    "$build/tests/interop/qubes-raw" "$build/bench-call"

host_qube work 1
host_qube vault 2
{
    for i in $(seq 97); do echo "t.Rule$i * work vault deny"; done
    printf 't.%s * work vault allow\n' Empty Sink Source
} | host_rules
printf '#!/bin/true\n' | service vault t.Empty
printf '#!/bin/sh\nexec cat >/dev/null\n' | service vault t.Sink
printf '#!/bin/sh\nexec head -c "${1}M" /dev/zero\n' | service vault t.Source
host_start
qube_up work vault

bench() {
    PATH=$bin:$PATH VCHAN_DOMAIN=${id_of[work]} QREXEC_NO_ROOT=1 "$bin/bench-call" \
        "$1" vault "$2" "$3" "--agent-socket=$dir/qube-work/agent.sock"
}
# Milliseconds of CPU of all that this script started.
cpu() {
    # A process may end between its name and its numbers.
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } |
        awk -v root=$$ -v hz="$(getconf CLK_TCK)" '
        { pid = $1; sub(/^.*\) /, ""); parent[pid] = $2
          used[pid] = $12 + $13; reaped[pid] = $14 + $15 }
        END {
            for (pid in parent) {
                for (p = pid; p > 1 && p != root; p = parent[p]) { }
                if (p == root) sum += used[pid] + reaped[pid]
            }
            print sum * 1000 / hz
        }'
}
bench empty t.Empty 200
before=$(cpu)
bench loop t.Empty 400
after=$(cpu)
LC_ALL=C awk -v b="$before" -v a="$after" 'BEGIN {
    v = (a - b) / 400
    printf "{\"name\":\"Qubes: empty call, CPU of all (beside: target)\",\"value\":%.3f,\"unit\":\"ms\",\"reference\":3,\"ratio\":%.2f}\n", v, v / 3 }'
bench to t.Sink 512
bench from t.Source+512 512
