#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A full disk and a read-only store: refused, with a reason; nothing is lost.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root for a small file system"
begin
mkdir -p server/log
mount -t tmpfs -o size=1m tmpfs server/log 2>/dev/null ||
    skip_all "cannot mount a tmpfs here"
umount server/log
rm -rf server
zones_setup
echo artefact >artefact
ok "signs" sign work release-ed25519 artefact r.json

run "qair -z server zone stop"
run "cp -a server/log log.before"
room=$(du -sk log.before | cut -f1)
run "mount -t tmpfs -o size=$((room + 300))k,mode=755 tmpfs server/log"
run "cp -a log.before/. server/log/"
run "chown --reference=log.before server/log"
run "qair -z server zone start"
signs() { sign work release-ed25519 artefact "receipt.$1"; }
fill() {
    local i
    for i in $(seq 400); do
        signs "$i" 2>refusal || { echo "$i" >stopped; return 0; }
    done
    echo "400 signatures and the disk is not full"
    return 1
}
ok "signatures stop when the log's disk is full" fill
says_log() { cat refusal; grep -q log refusal; }
ok "and the refusal names the log" says_log
receipts_hold() {
    local i
    for i in $(seq $(($(cat stopped) - 1))); do
        qair verify "receipt.$i" artefact --pack owner/pack || return 1
    done
}
ok "every receipt given out verifies" receipts_hold
ok "the log verifies with its disk full" qair -z server log verify
acknowledged() {
    local want
    want=$(jq -r .proof "receipt.$(($(cat stopped) - 1))" |
        sed -n 's/^index //p')
    [ "$(qair -z server log checkpoint | sed -n 2p)" -gt "$want" ]
}
ok "no acknowledged record is lost" acknowledged
run "mount -o remount,size=64m server/log"
again() { signs again; }
ok "with room again it signs again" wait_until 20 again
ok "and the log verifies" qair -z server log verify

# A store that is read-only from the start; an open one cannot be made so.
run "qair -z server zone stop"
run "mount -o remount,ro server/log"
run "qair -z server zone start"
refuses "a read-only store opens no channel: that could not be recorded" \
    "zone server" sign work release-ed25519 artefact x
ok "and the server says why" grep -q "Read-only" server/run/qaird.log
run "qair -z server zone stop"
run "mount -o remount,rw server/log"
run "qair -z server zone start"
ok "writable again it signs again" wait_until 20 again
ok "and the log verifies" qair -z server log verify
end
