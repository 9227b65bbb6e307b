#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A maker's reference values into an owner's pack, and what somebody tries who
# carries the file: usage: corim.sh QAIR
set -u
for tool in openssl python3; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 77; }
done
PATH=$(realpath "$(dirname "$1")"):$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
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
add() { # add NAME MORE...
    local name=$1
    shift
    qair attest reference add "$name" --owner-key owner/owner.key \
        --pack owner/pack "$@"
}

# ---- a maker ---------------------------------------------------------

openssl ecparam -name secp384r1 -genkey -noout -out maker.key 2>/dev/null
openssl ec -in maker.key -pubout -out maker.pem 2>/dev/null
openssl ecparam -name secp384r1 -genkey -noout 2>/dev/null | openssl ec -pubout -out other.pem 2>/dev/null
python3 - <<'PY'
import subprocess

def head(major, v):
    for n, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if v < 24:
            return bytes([major << 5 | v])
        if v < 1 << 8 * n:
            return bytes([major << 5 | info]) + v.to_bytes(n, "big")

def enc(x):
    if isinstance(x, tuple):  # a tag
        return head(6, x[0]) + enc(x[1])
    if isinstance(x, int):
        return head(0, x) if x >= 0 else head(1, -1 - x)
    if isinstance(x, bytes):
        return head(2, len(x)) + x
    if isinstance(x, str):
        return head(3, len(x.encode())) + x.encode()
    if isinstance(x, list):
        return head(4, len(x)) + b"".join(map(enc, x))
    items = sorted((enc(k), enc(v)) for k, v in x.items())
    return head(5, len(items)) + b"".join(k + v for k, v in items)

def sign(payload, header):
    tbs = enc(["Signature1", enc(header), b"", payload])
    der = subprocess.run(["openssl", "dgst", "-sha384", "-sign", "maker.key"],
                         input=tbs, capture_output=True, check=True).stdout
    at, parts = 2, []
    for _ in range(2):
        size = der[at + 1]
        parts.append(int.from_bytes(der[at + 2:at + 2 + size], "big"))
        at += 2 + size
    raw = b"".join(p.to_bytes(48, "big") for p in parts)
    return enc((18, [enc(header), {}, payload, raw]))

env = {0: {0: (111, bytes.fromhex("2b060104019c780301"))}, 1: (560, b"\1")}
values = [
    {0: 641, 1: {2: [[7, bytes(range(48))]]}},
    {0: 2, 1: {4: (560, (0x30000).to_bytes(8, "big"))}},
    {0: 647, 1: {1: (553, 0x541700000000000a)}},
    {0: 640, 1: {4: (560, bytes(64))}},
    {0: 5, 1: {4: (560, bytes(4)), -1: 7}},
]
comid = {1: {0: "tag"}, 4: {0: [[env, values]]}}
rim = enc((501, {0: "release 7", 1: [(506, enc(comid))],
                 3: (32, "tag:amd.com,2024:snp-corim-profile"),
                 4: {1: (1, 2000000000)}}))
meta = enc({0: {0: "Maker"}, 1: {1: (1, 1900000000)}})
header = {1: -35, 3: "application/rim+cbor", 8: meta}
open("plain.corim", "wb").write(rim)
signed = sign(rim, header)
open("maker.corim", "wb").write(signed)
open("altered.corim", "wb").write(signed.replace(bytes(range(48)), bytes(range(1, 49))))
open("swapped.corim", "wb").write(sign(rim, {**header, 1: -7}))
open("cut.corim", "wb").write(signed[:-1])
open("bomb.corim", "wb").write(b"\x81" * 100000)
two = {1: {0: "two"}, 4: {0: [[env, values[:1]], [{**env, 1: (560, b"\2")}, values[1:2]]]}}
open("two.corim", "wb").write(enc((501, {0: "two", 1: [(506, enc(two))],
                                         3: (32, "tag:amd.com,2024:snp-corim-profile")})))
open("none.corim", "wb").write(enc((501, {0: "id", 1: [(505, b"")]})))
PY
ok "an owner" qair pack init owner
[ -d owner/pack ] || { echo "1..$n"; exit 1; }

# ---- what it says ----------------------------------------------------

ok "what it says" qair attest corim maker.corim --key maker.pem --time 2026-11-25T00:00:00Z
says "and who says so" 'signed   ES384, by the key given, as "Maker"'
says "a digest is a claim" "snp.measurement is 000102030405"
says "a number, most significant byte first" "snp.policy is 196608"
says "a TCB in one number is a vector" "snp.tcb.reported at least 10.0.23.84"
says "what differs each time is left out" "left out: report data: differs each time"
says "as is what was not understood whole" "left out: it stands with members that are not known here"
ok "as JSON" sh -c "qair attest corim maker.corim --json --time 2026-11-25T00:00:00Z | python3 -c 'import json,sys; d=json.load(sys.stdin); assert len(d[\"values\"]) == 6 and d[\"signed\"] and not d[\"verified\"]'"
ok "without a key it is nobody's word" qair attest corim maker.corim --time 2026-11-25T00:00:00Z
says "and says so" "signed   not checked"

# ---- into the pack ---------------------------------------------------

at="--time 2026-11-25T00:00:00Z"
refuses "an altered value" 1 "is not of this key over this message" \
    add amd --corim altered.corim --key maker.pem $at
refuses "another maker's key" 1 "is not of this key over this message" \
    add amd --corim maker.corim --key other.pem $at
refuses "an algorithm of another kind of key" 1 "ES256 is not an algorithm of this key" \
    add amd --corim swapped.corim --key maker.pem $at
refuses "an unsigned file where a key was given" 1 "it is not signed" \
    add amd --corim plain.corim --key maker.pem $at
refuses "a cut file" 1 "CBOR" add amd --corim cut.corim --key maker.pem $at
refuses "a bomb" 1 "nested too deep" add amd --corim bomb.corim --unsigned $at
refuses "a file without a value for rules" 1 "no value that rules could be about" \
    add amd --corim none.corim --unsigned $at
refuses "a signature that ran out" 1 "the signature is not valid any more" \
    add amd --corim maker.corim --key maker.pem --time 2030-06-01T00:00:00Z
refuses "a manifest that ran out" 1 "the manifest is not valid any more" \
    add amd --corim plain.corim --unsigned --time 2034-01-01T00:00:00Z
refuses "neither key nor --unsigned" 2 "--corim needs the maker's --key" \
    add amd --corim maker.corim
refuses "both" 2 "--corim needs the maker's --key" \
    add amd --corim maker.corim --key maker.pem --unsigned
refuses "values besides" 2 "has its own values" \
    add amd --corim maker.corim --key maker.pem --claim snp.vmpl --value 0
refuses "a key without a manifest" 2 "without --corim" \
    add amd --key maker.pem --claim snp.vmpl --value 0
refuses "a product that is none" 2 "--product is milan, genoa or turin" \
    add amd --corim maker.corim --key maker.pem --product rome $at
refuses "a TCB of another product" 1 "has no value" \
    add amd --corim maker.corim --key maker.pem --product turin --claim snp.tcb.reported $at

ok "a maker's values are signed" add amd --corim maker.corim --key maker.pem $at
says "a set a claim" "snp.measurement in amd-snp.measurement"
says "a minimum is a line of rules" "for rules    snp.tcb.reported at least 10.0.23.84"
says "what is left out is told" "left out     5: raw value 00000000"
ok "the pack has two sets" sh -c 'ls owner/pack/values | tr "\n" " " | grep -qx "amd-snp.measurement.json amd-snp.policy.json "'
cat >check.py <<'PY'
import base64, hashlib, json
d = json.load(open("owner/pack/values/amd-snp.policy.json"))
s = json.loads(base64.b64decode(d["payload"]))["predicate"]
assert s["values"] == ["196608"], s
assert s["until"] == "2030-03-17T17:46:40Z", s
assert hashlib.sha256(open("maker.corim", "rb").read()).hexdigest() in s["recipe"], s
assert 'signed by "Maker"' in s["recipe"], s
PY
ok "they end with the maker's word and name the file" python3 check.py
ok "one claim alone, by its own name" add policies --corim maker.corim --key maker.pem --claim snp.policy $at
says "as that set" "snp.policy in policies"
ok "nobody's word, when the owner says so" add mine --corim plain.corim --unsigned --claim snp.policy $at
ok "values of two machines" add both --corim two.corim --unsigned $at
says "are not known to go together" "about 2 environments"

echo "1..$n"
exit $failed
