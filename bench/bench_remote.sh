#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/bench_remote.sh BUILD: one stream between qubes of two zones over
# loopback, each way, through all that stands between them (two agents, two
# netd, the client), beside TLS alone from memory to memory, which bench-channel
# measures in the same run.  Medians of three, 512 MiB each.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/script/lib.sh"
. "$top/script/zones.sh"
build=$1
PATH=$build:$PATH
mib=512
work=$(mktemp -d "$build/bench-remote.XXXXXX")
finish() {
    cd "$work" && zones_stop
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
run() { eval "$1" >/dev/null; }
tell() { :; }

cd "$work"
{
    zones_create "$(zones_free_port)"
    zones_stop
    mkdir -p server/services
    printf '#!/bin/sh\nexec head -c %sM /dev/zero\n' $mib \
        >server/services/bench.Source
    printf '#!/bin/sh\nexec cat >/dev/null\n' >server/services/bench.Sink
    chmod 755 server/services/bench.*
    sed -i 's/^services = .*/& bench.Source bench.Sink/' \
        server/qubes.d/signer.conf
    echo '* * thin-work signer allow' >server/policy.d/20-bench.policy
    echo '* * work server-signer allow' >thin/policy.d/20-bench.policy
    run "qair -z server zone start"
    run "qair -z thin zone start"
    for z in server thin; do zones_enrol $z; done
    for z in server thin; do zones_approve $z; done
    zones_install_pack
} >&2

call='qrexec-client-vm server-signer bench.'
from() { qair -z thin qube run work -- "${call}Source </dev/null >/dev/null"; }
to() { qair -z thin qube run work -- "head -c ${mib}M /dev/zero | ${call}Sink"; }

# Megabytes a second, the median of three.
rate() { # from|to
    local start
    "$1" # the first call also opens the channel
    for _ in 1 2 3; do
        start=$(date +%s%N)
        "$1"
        echo $((mib * 1048576 * 1000 / ($(date +%s%N) - start)))
    done | sort -n | sed -n 2p
}

from=$(rate from)
to=$(rate to)
tls=$("$build/bench-channel" 256 |
    jq -r 'select(.name == "channel-one-stream").reference')
for way in from to; do
    LC_ALL=C awk -v n="$way" -v v="${!way}" -v r="$tls" 'BEGIN {
        printf "{\"name\":\"remote-stream-%s\",\"value\":%.1f,", n, v
        printf "\"unit\":\"MB/s\",\"reference\":%.1f,\"ratio\":%.3f}\n", r, v / r
    }'
done
