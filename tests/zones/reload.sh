#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Policy taken anew by a running zone: measured, a state of its own, in force
# for the next call, and shut until the owner approves it.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
echo artefact >artefact
approve() {
    zones_approve "$1"
    zones_install_pack
}

ok "signs before" sign work release artefact r.json

mkdir other && printf '* * @anyvm @anyvm deny\n' >other/10.policy
refuses "the log replayed under a policy that denies" \
    "1 of 1 recorded calls would have gone otherwise" \
    qair -z thin policy replay other
refuses "and on the other side" "refused: denied by 10.policy:1" \
    qair -z server policy replay other --log server
ok "under its own policy all goes as it went" \
    qair -z thin policy replay thin/policy.d

echo 'this is no rule' >>thin/policy.d/30-sign.policy
refuses "a policy with an error is not taken" "30-sign.policy:" \
    qair -z thin zone reload --policy
ok "and the old one goes on" sign work release artefact r.json
sed -i '$d' thin/policy.d/30-sign.policy

echo 'type = Nonsense' >server/qubes.d/bad.conf
refuses "nor is a qube with an error" "bad.conf" \
    qair -z server zone reload --policy
rm server/qubes.d/bad.conf

# Nothing changed, and yet it is another state: the log says that it was read.
ok "the server takes its policy anew" qair -z server zone reload --policy
refuses "its state is not the approved one" "refused by" \
    sign work release artefact x.json
run "qair -z server attest collect -o server.evidence"
refuses "the appraisal names the change" "reload-1" \
    qair attest verify server.evidence --pack owner/pack
ok "the owner approves it" approve server
signs() { sign work release artefact r.json; }
ok "and it signs" wait_until 20 signs
ok "the receipt verifies" qair verify r.json artefact --pack owner/pack

printf 'qair.Sign * @anyvm @anyvm deny\n' >server/policy.d/10-none.policy
ok "the server takes a policy that signs no more" \
    qair -z server zone reload --policy
approve server
refuses "and it decides" "10-none.policy:1" sign work release artefact x.json
run "qair -z thin policy replay thin/policy.d --json >replay.json; true"
ok "what the other zone's policy refused is none of ours" \
    jq -e '.changed == [] and .gone == [] and .refused_elsewhere >= 1' \
    replay.json
run "mv thin/qubes.d/server-signer.conf signer.conf"
ok "a call of a qube that is no more is not judged, and that is said" eval \
    'qair -z thin policy replay thin/policy.d | tee out |
        grep -q "not judged: this zone has no qube server-signer" &&
        grep -q "were of qubes that this zone does not have now" out'
run "mv signer.conf thin/qubes.d/server-signer.conf"
ok "the hash is that of the files" eval \
    'qair -z server policy hash | cut -c1-64 >h && qair -z server log show --json | grep -c "$(cat h)"'

rm server/policy.d/10-none.policy
ok "a third change" qair -z server zone reload --policy
approve server
ok "signs again" wait_until 20 signs

echo '# another change' >>server/policy.d/30-sign.policy
run "qair -z server attest collect -o server.evidence"
ok "the owner approves a change ahead" \
    qair attest reference server.evidence --change server \
    --owner-key owner/owner.key --pack owner/pack
run "cp -r owner/pack/. server/pack/ && cp -r owner/pack/. thin/pack/"
ok "the server goes over into it" qair -z server zone reload --policy
run "qair -z thin zone reload"
ok "and signs at once" wait_until 10 signs
run "qair -z server attest collect -o server.evidence"
ok "in a state that the owner knows" \
    qair attest verify server.evidence --pack owner/pack

restart() {
    qair -z "$1" zone stop && qair -z "$1" zone start
}
ok "a restart begins a new log" restart server
refuses "whose state is another one again" "refused by" \
    sign work release artefact x.json
approve server
ok "and signs when it is approved" wait_until 20 signs

change_while_keyd_dies() {
    kill -9 "$(pid_of server qair-keyd)"
    wait_until 10 qair -z server zone reload --policy
    approve server
    wait_until 20 signs
}
ok "a change beside the death of keyd leaves a zone that signs" \
    change_while_keyd_dies
ok "both logs verify after all that" qair -z server log verify
ok "the thin one too" qair -z thin log verify
end
