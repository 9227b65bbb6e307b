#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demonstration itself: runs, can be interrupted, can be run again.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
echo hello >FILE
demo() { "$top/script/demo" --dir "$work/d" "$@"; }
leftovers() { pgrep -af "$work/d" | grep -v pgrep; }

ok "runs from end to end" demo FILE
ok "leaves nothing running" eval '! leftovers'
three_commands() {
    cd d &&
        ssh-keygen -Y verify -f out/allowed_signers -I release -n file \
            -s out/FILE.sshsig <../FILE &&
        minisign -V -p out/minisign.pub -x out/FILE.minisig -m ../FILE &&
        qair verify out/FILE.receipt.json ../FILE --pack out/pack
}
ok "the three commands hold on what it left in out/" eval '(three_commands)'

interrupted() { # SECONDS
    local pid
    demo FILE >"$work/demo.log" 2>&1 &
    pid=$!
    sleep "$1"
    kill -TERM "$pid" 2>/dev/null
    wait "$pid"
    for _ in $(seq 100); do
        leftovers >/dev/null || return 0
        sleep 0.1
    done
    leftovers
    return 1
}
for s in 0.4 1.5 3 5; do
    ok "interrupted after $s s, leaves nothing running" interrupted "$s"
done
ok "and runs again in the same folder" demo FILE
mkdir other
echo precious >other/thing
refuses "refuses a folder that holds other things" "empty folder" \
    "$top/script/demo" --dir "$work/other" FILE
ok "and has not touched it" grep -q precious other/thing
refuses "refuses a FILE that is not there" "not a file" demo nothing
refuses "refuses an unknown option" "usage" demo --fast
end
