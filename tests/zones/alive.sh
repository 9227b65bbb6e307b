#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The proof lives as long as the channel: what falls while calls run is cut at
# once, both logs say why, and rules may want the state of who calls.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
echo artefact >artefact
tpm_of() { pid_of "$1" swtpm; }
approve() {
    zones_approve "$1"
    zones_install_pack
}

# Short rounds, and a service that stays.
printf '#!/bin/sh\necho started; exec sleep 4321\n' >server/services/call.Hang
chmod 755 server/services/call.Hang
printf 'type = AppVM\nservices = call.Hang\n' >server/qubes.d/shop.conf
printf 'type = RemoteVM\nzone = server\nremote-name = shop\n' \
    >thin/qubes.d/server-shop.conf
echo 'call.Hang * work server-shop allow' >thin/policy.d/05-calls.policy
echo 'call.Hang * thin-work shop allow state=golden emulated=yes' \
    >server/policy.d/05-calls.policy
for z in thin server; do
    run "echo 'reattest-interval = 5' >>$z/zone.conf"
    run "qair -z $z zone stop && qair -z $z zone start"
    zones_approve "$z"
done
zones_install_pack

watch() { # ZONE: in the background, until unwatch
    qair -z "$1" attest watch --json >"$1.watch" 2>&1 &
    watcher=$!
}
saw() { # ZONE EVENT PEER REASON
    jq -es --arg e "$2" --arg p "$3" --arg r "$4" 'any(.[];
        .event == $e and (.peer // "") == $p and ((.reason // "") | contains($r)))' \
        "$1.watch"
}
in_log() { # ZONE WORDS
    qair -z "$1" log show >"$work/shown" && grep -qF -- "$2" "$work/shown"
}

watch thin
ok "a call by a rule that wants the state" eval \
    'sign work release artefact r.json'
ok "the watcher tells of the own state" \
    wait_until 10 saw thin 'own state' '' ''
ok "and of the channel" wait_until 10 saw thin opened server ''
ok "with the time until which it holds" eval \
    'jq -es "any(.[]; .event == \"opened\" and .state == \"golden (emulated)\" and .validUntil > .time)" thin.watch'
ok "the receipt says what the call rests on" eval \
    'qair verify r.json artefact --pack owner/pack | tr -s " \n" " " | grep -cF "it rests on zone server being golden (emulated)"'
id=$(jq -r .envelope r.json | jq -r .payload | base64 -d | jq -r .predicate.call)
ok "the trace shows both ends' appraisals, and both logs have them" eval \
    'qair -z thin log trace "$id" --with server >trace && grep -F "rests on" trace >rests &&
        grep -qF "zone server being golden (emulated)" rests &&
        grep -qF "zone thin being golden (emulated)" rests'
ok "the evidence that the envelope names is that of the thin zone's channel" eval \
    '[ "$(jq -r .envelope r.json | jq -r .payload | base64 -d | jq -r .predicate.appraisal.evidence)" = \
       "$(qair -z thin log show --json | jq -r "[.records[]?, .[]?] | map(select(.statement.predicate.event? == \"opened\")) | last | .statement.predicate.evidence" 2>/dev/null)" ] ||
     qair -z thin log show --json | grep -cF "$(jq -r .envelope r.json | jq -r .payload | base64 -d | jq -r .predicate.appraisal.evidence)"'

# ---- rules that want a state -----------------------------------------------------

ok "a rule for hardware lets no software TPM in" eval \
    'sed -i "s/ emulated=yes//" server/policy.d/05-calls.policy &&
        qair -z server zone reload --policy'
approve server
call() { # in the background; sets caller
    {
        qair -z thin qube run work -- qrexec-client-vm server-shop call.Hang </dev/null
        echo "rc=$?"
    } >said 2>&1 &
    caller=$!
}
said() { # WORDS: the caller has ended, and was told them
    wait_until 30 eval "! kill -0 $caller" && grep -qF -- "$1" said
}
hangs() { grep -q started said; }
call
ok "and says so" said "05-calls.policy:1 wants state=golden"
ok "the record names the state that was there" \
    in_log server "zone thin being golden (emulated)"
run "sed -i 's/\$/ emulated=yes/' server/policy.d/05-calls.policy"
run "qair -z server zone reload --policy"
approve server
call
ok "one that names it does" wait_until 30 hangs

# What would have been decided otherwise, by the state that the log has.
run "mkdir hardware && sed 's/ emulated=yes//' server/policy.d/05-calls.policy >hardware/05-calls.policy"
run "cp server/policy.d/30-sign.policy hardware/"
refuses "replayed under a rule for hardware" \
    "wants state=golden, and the state of the source zone is golden (emulated)" \
    qair -z server policy replay hardware --log server
run "qair -z server policy replay server/policy.d --log server --json >replay.json; true"
ok "replayed under its own, what was allowed stays so" \
    jq -e '.calls >= 2 and ([.changed[] | select(.allowed)] == [])' replay.json

# ---- the owner's word changes ----------------------------------------------------

# The server's state is approved no more, and the thin zone hears of it first.
run "mkdir kept && mv thin/pack/references/server.json kept/"
run "rm -f thin/pack/references/server@*"
ok "a pack without the server's reference" qair -z thin zone reload
ok "cuts the call that runs" said "rc="
ok "the thin zone's log says why" wait_until 10 in_log thin \
    "state of zone server fell: no approved state"
ok "so does the server's, by class" wait_until 10 in_log server \
    "peer did not accept this zone's evidence"
ok "and who watches" wait_until 10 saw thin ended server \
    "state of zone server fell"
refuses "no call before it is approved" "no approved state" \
    sign work release artefact x.json
run "mv kept/server.json thin/pack/references/"
ok "with the reference" qair -z thin zone reload
signs() { sign work release artefact r.json; }
ok "it signs again" wait_until 20 signs

# The other way round: the server takes back what it thought of the thin zone.
call
ok "a call runs" wait_until 30 hangs
run "mv server/pack/references/thin.json kept/"
run "rm -f server/pack/references/thin@*"
ok "a pack without the thin zone's reference" qair -z server zone reload
ok "cuts it" said "rc="
ok "the server's log says why" wait_until 10 in_log server \
    "state of zone thin fell: no approved state"
run "mv kept/thin.json server/pack/references/"
run "qair -z server zone reload"
ok "and it goes on" wait_until 20 signs

# Rules of the owner that the server does not meet, and a set that is revoked.
rules() { # LINE...: for the server, in the thin zone's pack, taken
    printf '%s\n' "state golden" "$@" >rules.txt &&
        qair attest rules server rules.txt --owner-key owner/owner.key --pack owner/pack &&
        mkdir -p thin/pack/rules thin/pack/values &&
        cp owner/pack/rules/server.json thin/pack/rules/ &&
        cp owner/pack/values/*.json thin/pack/values/ &&
        qair -z thin zone reload
}
values() { qair attest reference "$@" --owner-key owner/owner.key --pack owner/pack; }
policies=$(cd server && sha256sum policy.d/* | sha256sum | cut -d' ' -f1)
run "values add policies --claim zone.policy --value $policies"
ok "rules that the server meets" rules "zone.files is approved" "zone.policy in policies"
ok "let it sign" wait_until 20 signs
call
ok "a call runs under them" wait_until 30 hangs
ok "rules for hardware" rules "zone.files is approved" "tpm.emulated is no"
ok "cut it" said "rc="
ok "the log names the line" wait_until 10 in_log thin \
    "state of zone server fell: rule not met: tpm.emulated: wanted is no (line 3)"
ok "the first rules again" rules "zone.files is approved" "zone.policy in policies"
ok "and it signs again" wait_until 20 signs
run "values revoke policies && cp owner/pack/values/policies.json thin/pack/values/"
ok "a revoked set" qair -z thin zone reload
refuses "lets nobody in" "its set is revoked" sign work release artefact x.json
run "rm -r thin/pack/rules thin/pack/values owner/pack/rules owner/pack/values"
ok "without rules the reference decides" qair -z thin zone reload
ok "and it signs" wait_until 20 signs

# An old pack put back: what it approved is not what runs.
run "cp server/policy.d/05-calls.policy kept/ && cp -r owner/pack kept/old"
run "echo '# one more line' >>server/policy.d/05-calls.policy"
run "qair -z server zone reload --policy"
approve server
ok "a newer state is approved" wait_until 20 signs
run "rm -r thin/pack && cp -r kept/old thin/pack"
ok "an old pack put back at the thin zone" qair -z thin zone reload
ok "closes the channel: it approves another state" wait_until 10 in_log thin \
    "state of zone server fell"
refuses "and opens none" "not in the reference" sign work release artefact x.json
run "rm -r thin/pack && cp -r owner/pack thin/pack && qair -z thin zone reload"
ok "the newer one does" wait_until 20 signs

# ---- the own state ---------------------------------------------------------------

run "cp -r owner/pack kept/before"
call
ok "a call runs again" wait_until 30 hangs
run "qair pack revoke zone server --owner-key owner/owner.key --pack owner/pack"
run "cp -r owner/pack/. server/pack/"
ok "the owner revokes the server, and it hears of it" qair -z server zone reload
ok "its keys close" eval 'wait_until 10 in_log server "state-fallen"'
ok "the call ends" said "rc="
ok "the thin zone's log says that the server cannot prove itself" \
    wait_until 10 in_log thin "peer cannot prove its own state"
run "rm -r owner/pack server/pack && cp -r kept/before owner/pack"
run "cp -r kept/before server/pack && qair -z server zone reload"
ok "it comes back with its entry" wait_until 30 signs

call
ok "a call runs once more" wait_until 30 hangs
run "kill -9 $(tpm_of server)"
ok "the TPM under the server is reset: the call ends" said "rc="
gone() { ! sign work release-ed25519 artefact x.json; }
ok "no key opens" wait_until 20 gone

kill -INT "$watcher"
rc=0
wait "$watcher" || rc=$?
ok "the watcher ends cleanly when it is interrupted" [ "$rc" = 0 ]
ok "each of its lines is JSON" jq -es 'length > 5 and all(.[]; .time and .event)' \
    thin.watch
refuses "a watcher without a zone" "no zone runs" qair -z nowhere attest watch
ok "the thin zone's log verifies" qair -z thin log verify
end
