#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/bench_wan.sh [MIB]: the channel over an emulated long line: 50 ms round
# trip, 0.1 % loss, 200 Mbit/s, and a partition of 20 s.  See bench_wan.c.
# Needs root; takes two minutes, and nearly no CPU.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=${QAIR_BUILD:-$top/build}
. "$top/tests/wan/lib.sh"

why=$(wan_missing)
if [ -n "$why" ]; then
    echo "bench_wan.sh: skipped: $why" >&2
    exit 77
fi
trap wan_down EXIT
trap 'exit 130' INT TERM
wan_up "$build/tests/wan/wan" --delay 25 --loss 1000 --rate 200000 --seed 7 || {
    echo "bench_wan.sh: the line could not be made" >&2
    exit 1
}
timeout 600 "$build/bench-wan" "$wan_a" "$wan_b" 50 "$wan_pid" "${1:-64}"
