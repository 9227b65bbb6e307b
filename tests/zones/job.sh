#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on real input, and who must not get it done.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
head -c 300000 /dev/urandom >artefact

ok "the TPM key signs a remote qube's artefact" \
    sign work release artefact r.json
ok "the sealed key signs it too" \
    sign work release-ed25519 artefact m.json
ok "the signature file comes out of the receipt" \
    qair sign extract r.json -o artefact.sshsig
ok "the other one too" qair sign extract m.json -o artefact.minisig
qair -z server key export release --format allowed-signers >allowed_signers
qair -z server key export release-ed25519 --format minisign >minisign.pub

verify_ssh() {
    ssh-keygen -Y verify -f allowed_signers -I release -n "$1" \
        -s artefact.sshsig <"$2"
}
ok "ssh-keygen accepts it" verify_ssh file artefact
ok "minisign accepts it" \
    minisign -V -p minisign.pub -x artefact.minisig -m artefact
flip_bit artefact 1000 other
refuses "ssh-keygen refuses another file" "" verify_ssh file other
refuses "ssh-keygen refuses another namespace" "" verify_ssh git artefact
refuses "minisign refuses another file" "" \
    minisign -V -p minisign.pub -x artefact.minisig -m other

ok "the receipt verifies offline, from the pack" \
    qair verify r.json artefact --pack owner/pack
ok "so does the other" qair verify m.json artefact --pack owner/pack
refuses "the receipt does not speak for another file" "NOT VERIFIED" \
    qair verify r.json other --pack owner/pack
mkdir stranger
run "qair pack init stranger"
refuses "another owner's pack does not make it true" "" \
    qair verify r.json artefact --pack stranger/pack

bits_refused() {
    local size at i
    size=$(stat -c %s r.json)
    for i in $(seq 40); do
        at=$(((RANDOM * 32768 + RANDOM) % size))
        flip_bit r.json "$at" flipped.json
        if qair verify flipped.json artefact --pack owner/pack; then
            echo "accepted with bit 0 of byte $at flipped"
            return 1
        fi
    done
}
ok "forty receipts with one bit flipped are all refused" bits_refused

refuses "a qube without a rule is refused by its own zone" "zone thin" \
    sign untrusted release artefact x
refuses "a qube that only its own zone allows is refused by the other" \
    "zone server" sign mail release artefact x
refuses "a key that no rule names is refused" "refused" \
    sign work release2 artefact x
refuses "the transport of names cannot be bent" "refused" \
    qair -z thin qube run work -- qrexec-client-vm 'server-signer;id' \
    qair.Sign+release

empty() { sign work release-ed25519 /dev/null e.json; }
ok "an empty artefact is an artefact" empty
big() {
    head -c 70000000 /dev/zero >big
    sign work release-ed25519 big b.json &&
        qair verify b.json big --pack owner/pack
}
ok "70 MB pass through both zones" big

trace_says() {
    qair -z server log trace artefact --with thin >trace &&
        grep -q work trace && grep -q thin trace && grep -q release trace &&
        grep -q '30-sign.policy' trace && grep -q 'emulated' trace
}
ok "the log says who, where, by which rule, with which key, in which state" \
    trace_says
ok "the server's log verifies" qair -z server log verify
ok "the thin zone's log verifies" qair -z thin log verify
end
