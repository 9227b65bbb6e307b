#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two zones with the same name, and a machine that relays another's evidence.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
echo artefact >artefact
ok "the true server signs" sign work release artefact r.json

# Somebody else's machine calls itself server, with the true server's address.
address=$(sed -n 's/^listen *= *//p' server/zone.conf)
run "qair -z false zone init --name server --owner owner/pack/owner.pub --ca ca --listen $address"
run "cp -r examples-none/. false/ 2>/dev/null || true"
run "cp -r server/policy.d server/qubes.d server/services false/"
run "cp -r owner/pack/. false/pack/"
run "qair -z server zone stop"
run "qair -z false zone start"
refuses "a second machine of the same name is not the server" "server" \
    sign work release artefact x.json
run "qair -z false zone enrol -o false.claim"
run "qair zone challenge false.claim --ca ca/ca.pem -o false.challenge"
run "qair -z false zone answer false.claim false.challenge -o false.answer"
refuses "a name that is in the pack cannot be enrolled again" "server" \
    qair pack add-zone false.claim false.answer --challenge false.challenge \
    --owner-key owner/owner.key --pack owner/pack
refuses "another machine's answer does not enrol" "" \
    qair pack add-zone server.claim false.answer --challenge server.challenge \
    --owner-key owner/owner.key --pack stranger
# The true server's evidence, shown by the false one.
refuses "evidence of one TPM is not another's" "" \
    qair attest verify false.evidence --pack owner/pack
run "qair -z false zone stop"
run "qair -z server zone start"
signs() { sign work release artefact r.json; }
ok "the true server still signs" wait_until 20 signs
end
