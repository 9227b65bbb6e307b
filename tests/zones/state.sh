#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# State: what is not as approved opens no key and no channel.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
echo artefact >artefact

ok "signs in the approved state" sign work release artefact r.json

restart() {
    qair -z "$1" zone stop && qair -z "$1" zone start
}
ok "the zone restarts" restart server
ok "signs again after a restart in the same state" \
    sign work release artefact r.json

cp server/policy.d/30-sign.policy approved
sed -i 's/^# service/# Service/' server/policy.d/30-sign.policy
ok "the server restarts with one byte of policy changed" restart server
refuses "no signature in that state" "server" sign work release artefact x.json
run "qair -z server attest collect -o server.evidence"
refuses "the appraisal names the file" "30-sign.policy" \
    qair attest verify server.evidence --pack owner/pack
refuses "no key is made in that state" "" \
    qair -z server key create other --custody sealed --profile minisign
records_refusal() {
    qair -z thin log show | grep -c 'denied .*zone server'
}
ok "the thin zone has the refusal on record" records_refusal

cp approved server/policy.d/30-sign.policy
ok "restart with the approved byte" restart server
ok "signs again" sign work release artefact r.json

tpm_reset() {
    kill -9 "$(pid_of server swtpm)"
}
ok "the TPM under the running zone is reset" tpm_reset
gone() { ! sign work release-ed25519 artefact x.json; }
ok "keys close: no signature after a TPM reset" wait_until 20 gone
ok "the zone comes back with a restart" restart server
signs() { sign work release artefact r.json; }
ok "and signs" wait_until 20 signs

sed -i 's/^label = green/label = gray/' thin/qubes.d/work.conf
ok "the thin zone restarts in a state that nobody approved" restart thin
refuses "the thin zone's own keys stay shut" "" sign work release artefact x
sed -i 's/^label = gray/label = green/' thin/qubes.d/work.conf
ok "and back" restart thin
ok "signs" wait_until 20 signs
ok "both logs verify after all that" qair -z server log verify
ok "the thin one too" qair -z thin log verify
end
