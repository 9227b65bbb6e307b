#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of each daemon at random points of the job, a hundred times in all.
# Afterwards the logs verify, no signature exists without its record, no
# acknowledged record is lost, and the next run works.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
head -c 200000 /dev/urandom >artefact
kills=${QAIR_KILLS:-100}
victims=(server:qair-keyd server:qair-logd server:qair-policyd
    server:qair-attestd server:qair-netd server:qair-calld
    thin:qair-keyd thin:qair-logd thin:qair-policyd thin:qair-attestd
    thin:qair-netd thin:qair-calld server:qair-agent server:qaird)

signs() { sign work release-ed25519 artefact "$1"; }
probe() { signs probe; }
ok "signs before" signs first

kill_at_random() {
    local i v zone prog pid rc got=0
    for i in $(seq "$kills"); do
        v=${victims[$((i % ${#victims[@]}))]}
        zone=${v%%:*} prog=${v##*:}
        if [ "$prog" = qaird ]; then
            pid=$(head -n 1 "$zone/run/qaird.pid")
        elif [ "$prog" = qair-agent ]; then
            pid=$(jq -r '.qubes[0].pid // empty' "$zone/run/status.json")
        else
            pid=$(pid_of "$zone" "$prog")
        fi
        [ -n "$pid" ] || {
            echo "kill $i: $v does not run"
            return 1
        }
        signs "receipt.$i" 2>"refusal.$i" &
        sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
        kill -9 "$pid" 2>/dev/null
        wait $! && got=$((got + 1)) || rm -f "receipt.$i"
        if [ "$prog" = qaird ]; then
            wait_until 10 qair -z "$zone" zone start || {
                echo "kill $i of $v: the zone does not start again"
                return 1
            }
        fi
        wait_until 30 probe || {
            echo "kill $i of $v: no signature within 30 s"
            cat "refusal.$i"
            sign work release-ed25519 artefact probe
            return 1
        }
    done
    echo "$got of $kills calls were answered in spite of the kill"
}
ok "the next run works after each of $kills kills" kill_at_random
sed 's/^/# /' "$work/out" | tail -n 2
receipts_hold() {
    local f
    for f in receipt.*; do
        [ -e "$f" ] || continue
        qair verify "$f" artefact --pack owner/pack || return 1
    done
}
ok "every signature that came out has its record and verifies" receipts_hold
recorded() { # every receipt's entry is in the log as it stands now
    local f i
    for f in first receipt.*; do
        [ -e "$f" ] || continue
        i=$(jq -r .proof "$f" | sed -n 's/^index //p')
        qair -z server log show --from "$i" --json 2>/dev/null | sed -n 1p |
            jq -e --argjson i "$i" --slurpfile r "$f" '.index == $i and
                .statement == ($r[0].statement | fromjson | .payload |
                    @base64d | fromjson)' || {
            echo "$f: entry $i is not in the log"
            return 1
        }
    done
}
ok "no acknowledged record is lost" recorded
ok "the server's log verifies" qair -z server log verify
ok "the thin zone's log verifies" qair -z thin log verify
end
