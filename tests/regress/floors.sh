#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A room sees the headers of its own and of lower floors and no others: read
# off the compiler's command lines.
# usage: floors.sh BUILD_DIR
set -euo pipefail
cd "$1"

floor() { # of a room (docs/architecture.md, section 4)
    case $1 in
    base) echo 0 ;;
    buf | bundle | cbor | crypto | conf) echo 1 ;;
    msg | qrexec | policy | merkle | statement | tcg | eventlog | ima | eat | corim | cose | evidence | pe | snp | spdm)
        echo 2 ;;
    rules | pack | chain | appraise | profile | receipt | enrol | predict | policyline | policytool)
        echo 3 ;;
    gather | ipc | sandbox | role | link | pump | callee | isolate | tpm | store | channel | policytree)
        echo 4 ;;
    *) echo "unknown room $1" >&2 && exit 1 ;;
    esac
}

# "ROOM SEEN" for every room and every room whose folder its compiler searches.
pairs=$(jq -r '.[] | select(.output | startswith("lib/")) |
    (.output | split("/")[1]) as $room |
    .command | split(" ")[] | select(startswith("-I")) |
    capture("/lib/(?<seen>[a-z]+)$") | "\($room) \(.seen)"' \
    compile_commands.json | sort -u)
[ "$(printf '%s\n' "$pairs" | wc -l)" -ge 40 ] || {
    echo "1..1"
    echo "not ok 1 - no command lines were found to judge"
    exit 1
}
upward=""
while read -r room seen; do
    [ "$(floor "$seen")" -le "$(floor "$room")" ] ||
        upward="$upward# lib/$room sees lib/$seen
"
done <<<"$pairs"
echo "1..1"
if [ -n "$upward" ]; then
    echo "not ok 1 - no room sees a higher floor"
    printf '%s' "$upward"
    exit 1
fi
echo "ok 1 - no room sees a higher floor"
