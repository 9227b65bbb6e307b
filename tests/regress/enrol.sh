#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Enrolment and approval with a real zone and a real software TPM, and what
# somebody tries who carries the files: usage: enrol.sh QAIR
set -u
for tool in swtpm swtpm_setup openssl python3; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 77; }
done
PATH=$(realpath "$(dirname "$1")"):$PATH
dir=$(mktemp -d)
cleanup() {
    qair -z "$dir/server" zone stop >/dev/null 2>&1
    qair -z "$dir/twin" zone stop >/dev/null 2>&1
    rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 1

n=0 failed=0
report() { # report RC NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        sed 's/^/# /' log
        failed=1
    fi
}
ok() { # ok NAME COMMAND...
    local name=$1
    shift
    "$@" >log 2>&1
    report $? "$name"
}
says() { # says NAME TEXT: what the last command printed
    grep -qF -- "$2" log
    report $? "$1"
}
refuses() { # refuses NAME EXIT TEXT COMMAND...: the text, and nothing written
    local name=$1 want=$2 text=$3 before rc=0
    shift 3
    before=$(find owner -type f -exec sha256sum {} + | sort)
    "$@" >log 2>&1
    [ $? = "$want" ] && grep -qF -- "$text" log || rc=1
    [ "$before" = "$(find owner -type f -exec sha256sum {} + | sort)" ] || rc=1
    report $rc "$name"
}
# edit FILE MEMBER VALUE: the same JSON with one member changed.
edit() {
    python3 - "$@" <<'PY'
import json, sys
path, key, value = sys.argv[1:]
doc = json.load(open(path))
doc[key] = json.loads(value)
json.dump(doc, open(path, "w"), separators=(",", ":"), sort_keys=True)
PY
}
member() { python3 -c 'import json,sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$@"; }
add_zone() { # add_zone CLAIM ANSWER CHALLENGE MORE...
    local claim=$1 answer=$2 challenge=$3
    shift 3
    qair pack add-zone "$claim" "$answer" --challenge "$challenge" \
        --owner-key owner/owner.key --pack owner/pack "$@"
}
challenge() { qair zone challenge "$1" --ca "${3:-ca/ca.pem}" -o "$2"; }
new_zone() { # new_zone DIR NAME
    qair -z "$1" zone init --name "$2" --owner owner/pack/owner.pub --ca ca &&
        qair -z "$1" zone start && qair -z "$1" zone enrol -o "$1.claim"
}

ok "the owner's key and an empty pack" qair pack init owner
refuses "an owner's key is not overwritten" 1 "is there already" \
    qair pack init owner
ok "a zone with a software TPM makes a claim" new_zone server server
ok "a second machine of the same name, too" new_zone twin server

# ---- the claim -------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem \
    -subj /CN=stranger -days 9 >/dev/null 2>&1
refuses "an EK certificate of another maker" 1 "does not reach a trusted root" \
    challenge server.claim x.challenge other.pem
refuses "a file of certificates without a root" 1 "no root" \
    challenge server.claim x.challenge ca/issuercert.pem
cp server.claim x.claim
edit x.claim ak_public "$(member x.claim ek_public)"
refuses "a claim whose attestation key decrypts" 1 "attestation key" \
    challenge x.claim x.challenge
cp server.claim x.claim
edit x.claim ek_public "$(member twin.claim ek_public)"
refuses "an endorsement key that is not the certificate's" 1 \
    "not the certificate's" challenge x.claim x.challenge
cp server.claim x.claim
edit x.claim log "$(member x.claim identity)"
refuses "one key as identity and log key" 1 "not two Ed25519 keys" \
    challenge x.claim x.challenge
cp server.claim x.claim
edit x.claim more 1
refuses "a claim with a member of its own" 1 "unknown" \
    challenge x.claim x.challenge
head -c 300 server.claim >x.claim
refuses "a claim that is cut" 1 "x.claim" challenge x.claim x.challenge
head -c 60000 /dev/zero >x.claim
refuses "a claim that is too large" 1 "x.claim" challenge x.claim x.challenge

ok "a good claim is challenged" challenge server.claim server.challenge
ok "the secret is the owner's alone" \
    test "$(stat -c %a server.challenge.secret)" = 600
ok "the other machine's claim, too" challenge twin.claim twin.challenge

# ---- the answer ------------------------------------------------------

refuses "another machine cannot answer" 1 "" \
    qair -z twin zone answer server.claim server.challenge -o x.answer
ok "the machine answers" \
    qair -z server zone answer server.claim server.challenge -o server.answer
ok "the other machine answers its own" \
    qair -z twin zone answer twin.claim twin.challenge -o twin.answer

refuses "an answer to another challenge" 1 "belongs to another claim" \
    add_zone server.claim twin.answer server.challenge
cp server.claim x.claim
edit x.claim identity "$(member twin.claim identity)"
refuses "an identity put into the claim afterwards" 1 \
    "belongs to another claim" add_zone x.claim server.answer server.challenge
sum=$(sha256sum x.claim | cut -d' ' -f1)
for f in answer challenge challenge.secret; do
    cp "server.$f" "x.$f"
    edit "x.$f" claim "\"$sum\""
done
refuses "and with all digests made to fit" 1 "other binder" \
    add_zone x.claim x.answer x.challenge
cp server.answer x.answer
cp server.challenge x.challenge
cp server.challenge.secret x.challenge.secret
edit x.challenge.secret secret "\"$(printf '%064d' 0)\""
refuses "an answer made without the secret" 1 "other binder" \
    add_zone server.claim x.answer x.challenge
rm x.challenge.secret
refuses "a challenge without its secret" 1 "x.challenge.secret" \
    add_zone server.claim server.answer x.challenge
edit x.answer evidence "$(member twin.answer evidence)"
refuses "evidence of another machine" 1 "other attestation key" \
    add_zone server.claim x.answer server.challenge
chmod 644 owner/owner.key
refuses "an owner's key that others may read" 1 "chmod 600" \
    add_zone server.claim server.answer server.challenge
chmod 600 owner/owner.key

ok "the zone is signed into the pack" \
    add_zone server.claim server.answer server.challenge --hardware
says "and is called emulated, whatever the owner says" "server (emulated)"
refuses "a name is taken once" 1 "--replace" \
    add_zone twin.claim twin.answer twin.challenge

# ---- approval --------------------------------------------------------

reference() { qair attest reference "$1" --owner-key owner/owner.key --pack owner/pack "${@:2}"; }
verify() { qair attest verify "$1" --pack owner/pack --owner owner/pack/owner.pub "${@:2}"; }

ok "evidence of the zone, and its digest" eval \
    'qair -z server attest collect -o server.evidence --json >told &&
        [ "$(jq -r .sha256 told)" = "$(sha256sum <server.evidence | cut -d " " -f 1)" ]'
ok "evidence of the other" qair -z twin attest collect -o twin.evidence
refuses "nothing is approved yet" 1 "no approved state" verify server.evidence
refuses "evidence of a machine that is not in the pack" 1 "enrol it first" \
    reference twin.evidence
binder=$(printf '%064d' 7)
refuses "evidence that is not what was asked for" 1 "other binder" \
    reference server.evidence --binder "$binder"
head -c 500 server.evidence >x.evidence
refuses "evidence that is cut" 1 "malformed" reference x.evidence
python3 - <<'PY'
b = bytearray(open("server.evidence", "rb").read())
i = b.index(b"90-default.policy")
b[i] ^= 1
open("x.evidence", "wb").write(b)
PY
refuses "evidence with a file renamed" 1 "bad event log" reference x.evidence
refuses "an approval that is over" 2 "in the past" \
    reference server.evidence --expires 2020-01-01T00:00:00Z
ok "the state is approved" reference server.evidence
says "what was measured was shown" "policy.d/90-default.policy"
ok "it is golden, and emulated" verify server.evidence
says "and says so" "golden (emulated)"
ok "as JSON" sh -c "qair attest verify server.evidence --pack owner/pack --json 2>/dev/null | python3 -c 'import json,sys; assert json.load(sys.stdin)[\"accept\"]'"
ok "evidence for a binder" \
    qair -z server attest collect -o fresh.evidence --binder "$binder"
ok "holds for it" verify fresh.evidence --binder "$binder"
refuses "and for no other" 1 "other binder" verify fresh.evidence

cp -r owner/pack/. server/pack/
ok "the zone takes the pack" qair -z server zone reload
measured() { qair -z server zone status | grep -q "^measured $1"; }
ok "and knows its state" measured golden
ok "a key is made in it" sh -c "qair -z server key create release --custody tpm --profile sshsig >release.claim"
ok "and signed into the pack" qair pack add-key release.claim \
    --owner-key owner/owner.key --pack owner/pack
refuses "once" 1 "--replace" qair pack add-key release.claim \
    --owner-key owner/owner.key --pack owner/pack
ok "the pack lists it" sh -c "qair pack show --pack owner/pack | grep -q '^key  *release'"

# ---- another state ---------------------------------------------------

restart() { qair -z server zone stop && qair -z server zone start; }
echo '# one more line' >>server/policy.d/90-default.policy
ok "a policy file is changed, the zone started again" restart
ok "evidence" qair -z server attest collect -o changed.evidence
refuses "the difference is named" 1 \
    "90-default.policy differs from the reference: expected " \
    verify changed.evidence
ok "the zone itself knows" measured "not approved"
refuses "no key is made in it" 1 "" \
    qair -z server key create other --custody sealed --profile minisign
ok "the owner approves it" reference changed.evidence
says "and is told what changes" "90-default.policy differs"
ok "the former approval is kept" sh -c "ls owner/pack/references/server@*.json"
ok "the new state is golden" verify changed.evidence
refuses "the old one no longer" 1 "differs from the reference" \
    verify server.evidence

# ---- rules and sets of values ----------------------------------------

owner() { qair attest "${@}" --owner-key owner/owner.key --pack owner/pack; }
explain() { qair attest explain "$1" --pack owner/pack --owner owner/pack/owner.pub "${@:2}"; }
ok "explained without rules" explain changed.evidence
says "in a colleague's words" "Zone server is golden (emulated)."
ok "every claim is listed" sh -c "qair attest claims zone. | grep -q '^zone.policy '"
refuses "a claim that there is not" 1 "no claim begins" qair attest claims no.such.claim
policy=$(cd server && sha256sum policy.d/90-default.policy | sha256sum | cut -d' ' -f1)
refuses "a set of a claim that there is not" 2 "did you mean zone.policy?" \
    owner reference add policies --claim zone.polcy --value "$policy"
refuses "a value of another type" 1 "32 bytes of it" \
    owner reference add policies --claim zone.policy --value 00ff
printf '%s\n' '# what the server has to show' 'state golden' \
    'zone.files is approved' 'zone.policy in policies' 'tpm.emulated is yes' >rules.txt
refuses "rules that name a set which is not there" 1 "there is no set 'policies'" \
    owner rules server rules.txt
ok "and nothing was written" sh -c "! test -e owner/pack/rules/server.json"
ok "values are signed" owner reference add policies --claim zone.policy \
    --value "$(printf '%064d' 1)" --note "made for the test"
ok "and more of them" owner reference add policies --claim zone.policy --value "$policy"
says "and how to name them" "zone.policy in policies"
ok "rules are signed" owner rules server rules.txt
says "as they were understood" "    zone.policy in policies"
ok "the zone meets them" verify changed.evidence
ok "the list has rules and sets" qair attest reference list --pack owner/pack
says "with its values" "$policy"
says "and rules" "    tpm.emulated is yes"
ok "as JSON" sh -c "qair attest reference list --pack owner/pack --json 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); assert len(d[\"sets\"][0][\"values\"]) == 2 and d[\"rules\"][0][\"zone\"] == \"server\"'"
refuses "older evidence does not" 1 "zone.policy is " explain server.evidence
says "and the files are named" "90-default.policy differs from the reference"
refuses "what changed since is told" 1 "the last good evidence had $policy" \
    explain server.evidence --last changed.evidence
cat >ear.py <<'PY'
import json, sys
want, d = sys.argv[1], json.load(sys.stdin)
m = d["submods"]["server"]
assert d["eat_profile"] == "tag:github.com,2023:veraison/ear", d
assert m["ear.status"] == want, m
assert m["ear.appraisal-policy-id"].startswith("qair:rules/v1 "), m
v = m["ear.trustworthiness-vector"]
assert v["instance-identity"] == 2 and v["hardware"] == 32, v # emulated
assert v["configuration"] == (2 if want == "warning" else 96), v
PY
python3 - <<'PY'
def head(major, v):
    for n, info in ((1, 24), (2, 25), (4, 26)):
        if v < 24:
            return bytes([major << 5 | v])
        if v < 1 << 8 * n:
            return bytes([major << 5 | info]) + v.to_bytes(n, "big")
e = open("changed.evidence", "rb").read()
t = b"application/vnd.qair.evidence"
cmw = head(4, 3) + head(3, len(t)) + t + head(2, len(e)) + e + b"\x04"
open("changed.cmw", "wb").write(cmw)
open("changed.uccs", "wb").write(head(6, 601) + b"\xa1\x0a\x48abcdefgh")
open("cut.cmw", "wb").write(cmw[:-1])
open("bomb.cmw", "wb").write(b"\x81" * 4096)
PY
ok "evidence in a wrapper of RATS" verify changed.cmw
refuses "an unsigned token from a file" 1 "a file is no attested channel" verify changed.uccs
refuses "a cut wrapper" 1 "CBOR" verify cut.cmw
refuses "a wrapper that nests" 1 "nested too deep" verify bomb.cmw
ok "a verdict for others: never affirming with a software TPM" bash -o pipefail -c "qair attest verify changed.evidence --pack owner/pack --ear veraison 2>/dev/null | python3 ear.py warning"
ok "a refusal for others" sh -c "qair attest verify server.evidence --pack owner/pack --ear veraison 2>/dev/null | python3 ear.py contraindicated"
refuses "which is one in CBOR, too" 1 "tag:ietf.org,2026:rats/ear#04" \
    qair attest verify server.evidence --pack owner/pack --ear ietf-cbor
refuses "results of a form that is none" 2 "--ear is veraison or ietf" \
    verify changed.evidence --ear jwt
ok "the explanation as JSON" sh -c "qair attest explain changed.evidence --last server.evidence --pack owner/pack --json 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); assert d[\"accept\"] and len(d[\"rules\"][\"lines\"]) == 3 and d[\"n_changes\"] > 0 and all(c[\"attested\"] for c in d[\"claims\"])'"
cp -r owner/pack/. server/pack/
ok "the zone takes the rules" qair -z server zone reload
ok "and is golden by them" measured golden
ok "the set is taken back" owner reference revoke policies
refuses "once" 1 "revoked already" owner reference revoke policies
ok "what is signed and revoked is told as JSON, too" eval \
    'owner reference add told --claim zone.policy --value "$policy" --json >told &&
        owner reference revoke told --json >>told &&
        jq -es "length == 2 and all(.set == \"told\" and .values == 1) and (map(.revoked) == [false, true])" told'
refuses "and nothing is added to it" 1 "--replace" \
    owner reference add policies --claim zone.policy --value "$policy"
refuses "no line that names it is met" 1 "its set is revoked" explain changed.evidence
cp -r owner/pack/. server/pack/
ok "the zone takes that too" qair -z server zone reload
ok "and closes its keys" measured "not approved"
head -c 700 changed.evidence >x.evidence
refuses "a cut file is refused, not explained" 1 "malformed" explain x.evidence
ok "the set is made anew" owner reference add policies --claim zone.policy --value "$policy" --replace
cat >predict.json <<PY
{"boot_aggregate":{},"pcrs":[
{"bank":"sha256","pcr":4,"steps":[{"digest":"00","how":"kernel"},{"digest":"01","how":"separator"}],"value":"$(printf '%064d' 4)"},
{"bank":"sha384","pcr":4,"steps":[],"value":"$(printf '%096d' 4)"},
{"bank":"sha1","pcr":4,"steps":[],"value":"$(printf '%040d' 4)"}],"policy_pcr":{}}
PY
ok "values of a prediction" owner reference add next --from-predict predict.json
says "a set a PCR" "firmware.pcr.4 in next-pcr4"
says "and bank" "firmware.pcr.sha384.4 in next-pcr4-sha384"
ok "with their recipe" sh -c "qair attest reference list --pack owner/pack --json 2>/dev/null | python3 -c 'import json,sys; d=json.load(sys.stdin); assert [s[\"recipe\"] for s in d[\"sets\"] if s[\"name\"]==\"next-pcr4\"] == [\"kernel\\nseparator\"]'"
echo "{}" >predict.json
refuses "what is no prediction" 1 "attest predict" owner reference add next --from-predict predict.json
printf '%s\n' 'state golden' 'zone.files is approved' >rules.txt
ok "other rules" owner rules server rules.txt
ok "the former ones are kept" sh -c "ls owner/pack/rules/server@*.json"
ok "the zone meets the new ones" verify changed.evidence
cp -r owner/pack/. server/pack/
ok "and takes them" qair -z server zone reload

# ---- somebody writes to the pack -------------------------------------

cp -r owner owner.good
python3 - <<'PY'
import json, base64
p = "owner/pack/zones/server.json"
d = json.load(open(p))
b = bytearray(base64.b64decode(d["payload"]))
i = b.index(b'"emulated":true')
b[i:i + 15] = b'"emulated":false'[:15]
d["payload"] = base64.b64encode(bytes(b)).decode()
json.dump(d, open(p, "w"))
PY
refuses "a pack with a changed zone is not used" 1 "signatures hold" \
    verify changed.evidence
rm -r owner && cp -r owner.good owner
cp owner/pack/zones/server.json owner/pack/zones/thin.json
refuses "nor one with a copied zone" 1 "is about server" \
    verify changed.evidence
rm -r owner && cp -r owner.good owner
mkdir stranger && ok "another owner" qair pack init stranger/o
refuses "another owner's word is none" 1 "signatures hold" \
    qair attest verify changed.evidence --pack owner/pack \
    --owner stranger/o/pack/owner.pub

# ---- the state after a reboot, ahead of it ---------------------------

printf 'qair:recipe/v1\nvalue 11 sha256 %064d\nend\n' 0 >same.recipe
# H(zeroes || H("enter-initrd")), as a unified kernel image's first phase.
python3 - >next.recipe <<'PY'
import hashlib
d = hashlib.sha256(b"enter-initrd").digest()
v = hashlib.sha256(bytes(32) + d).hexdigest()
print("qair:recipe/v1\nextend 11 sha256 %s phase enter-initrd" % d.hex())
print("value 11 sha256 %s\nend" % v)
PY
sed 's/^value 11 sha256 ./&f/; s/^\(value 11 sha256 .\{64\}\)./\1/' \
    next.recipe >forged.recipe
refuses "a PCR that is not quoted cannot be approved" 1 "does not quote PCR 11" \
    reference changed.evidence --recipe next.recipe
echo 'pcrs = 11,14' >>server/zone.conf
ok "the zone quotes PCR 11 too" restart
ok "evidence of it" qair -z server attest collect -o boot.evidence
refuses "a recipe that does not give what it says" 1 "not what its events give" \
    reference boot.evidence --recipe forged.recipe
refuses "a reload and a reboot at once" 2 "--change alone" \
    reference boot.evidence --recipe next.recipe --change server
ok "the next boot is approved ahead" \
    reference boot.evidence --recipe next.recipe
says "and the value is shown" "PCR 11"
refuses "so the present one is not" 1 "PCR 11" verify boot.evidence
ok "the same boot is approved ahead" \
    reference boot.evidence --recipe same.recipe
ok "and is golden" verify boot.evidence

# ---- the state after a start, ahead of it ----------------------------

echo '# approved ahead' >>server/policy.d/90-default.policy
refuses "programs of nothing" 2 "--programs is for --start" \
    reference boot.evidence --programs .
refuses "a folder without programs" 1 "no program of a zone" \
    reference boot.evidence --start server --programs owner/pack
ok "the next start is approved ahead, with the next boot" \
    reference boot.evidence --start server --recipe same.recipe
refuses "so the running zone is not in the state" 1 "90-default.policy" \
    verify boot.evidence
ok "the zone starts" restart
ok "evidence of that" qair -z server attest collect -o start.evidence
ok "the state is as it was foretold" verify start.evidence

echo "1..$n"
exit $failed
