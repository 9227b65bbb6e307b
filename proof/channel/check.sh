#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The model of the attestation handshake (channel.pml), by spin: the protocol
# as it is holds; take a binding out and spin finds the attack, where there is
# one; what is only a second lock holds alone and falls with its partner; and
# the model can reach what it is about, so that it is not true of nothing.
# QAIR_PROOF_LONG=1: three sessions as well (minutes).  77 where spin is absent.
set -u
model=$(cd "$(dirname "$0")" && pwd)/channel.pml
for tool in spin gcc; do
    command -v "$tool" >/dev/null || {
        echo "1..0 # SKIP $tool is not here (apt-get install spin gcc)"
        exit 77
    }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
bad=0

# run FLAGS: sets errors (0, 1), states and property (first failed assertion).
run() {
    errors="" states=0 property=""
    # shellcheck disable=SC2086 # flags are words
    spin $1 -a "$model" >spin.out 2>&1 &&
        gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c &&
        ./pan -m200000 >pan.out 2>&1 || { cat spin.out pan.out 2>/dev/null; return; }
    # a search that was cut short proves nothing
    grep -qE 'max search depth too small|out of memory|Search not completed' \
        pan.out && ! grep -q 'assertion violated' pan.out && return
    errors=$(sed -nE 's/.*errors: ([0-9]+).*/\1/p' pan.out)
    states=$(sed -nE 's/ *([0-9.e+]+) states, stored.*/\1/p' pan.out)
    property=$(sed -nE 's/^pan:1: assertion violated (.*) \(at depth.*/\1/p' pan.out)
}

tap() { # OK WHAT
    n=$((n + 1))
    if [ "$1" = 1 ]; then echo "ok $n - $2"; else
        bad=1
        echo "not ok $n - $2 (errors '$errors', states '$states', $property)"
        sed 's/^/# /' pan.out
    fi
}

holds() { # WHAT FLAGS STATES-AT-LEAST
    run "$2"
    if [ "$errors" = 0 ] && awk "BEGIN{exit !($states >= $3)}"; then
        tap 1 "$1: holds in all $states states"
    else
        tap 0 "$1: should hold"
    fi
}

# The property is told by its assertion.
declare -A assertion=(
    [peer]='tpm==s' [relay]='hs)' [once]='spent' [fresh]='late'
    [silence]='pa>=3' [reached]='0')

falls() { # PROPERTY WHAT FLAGS
    run "$3"
    if [ "$errors" = 1 ] && [[ $property == *"${assertion[$1]}"* ]]; then
        tap 1 "$2: $1 falls"
    else
        tap 0 "$2: $1 should fall"
    fi
}

holds "one corrupted zone" "" 10000
holds "and the channel keys of both others are known" "-DLEAK" 10000
holds "the answering zone's netd is taken" "-DORACLE -DNS=1" 5000

falls relay "quote without the exporter" "-DLEAK -DNO_EXPORTER"
falls peer "any genuine TPM instead of the pinned one" "-DLEAK -DNO_PIN"
falls fresh "quote without the nonces of both HELLOs" "-DORACLE -DNS=1 -DNO_CTX"
falls fresh "resumed session keeps its verdict" "-DRESUME"
falls silence "client shows itself first" "-DNO_ORDER"

holds "quote without the role (AK and exporter still tell)" "-DLEAK -DNO_ROLE" 10000
holds "quote without the channel keys (the exporter still tells)" "-DLEAK -DNO_SPKI" 10000
holds "quote without the round (nonces still tell)" "-DORACLE -DNS=1 -DNO_ROUND" 5000
falls once "without round and nonces" "-DORACLE -DNS=1 -DNO_ROUND -DNO_CTX"
holds "reflection to a verifier without pins" \
    "-DLEAK -DNO_PIN -DNO_TPM" 1000
falls peer "reflection without pins, role and keys" \
    "-DLEAK -DNO_PIN -DNO_TPM -DNO_ROLE -DNO_SPKI"

falls reached "A and B do open and attest again" "-DREACH_OPEN"
falls reached "A talks with M, knowingly" "-DREACH_M"
falls reached "a taken netd passes while its zone's state holds" \
    "-DORACLE -DNS=1 -DREACH_TAKEN"
falls reached "a round after the state fell is reached" \
    "-DORACLE -DNS=1 -DREACH_FALL"

if [ "${QAIR_PROOF_LONG:-}" = 1 ]; then
    holds "three sessions" "-DNS=3" 100000
    holds "three sessions, keys known" "-DNS=3 -DLEAK" 100000
fi
echo "1..$n"
exit $bad
