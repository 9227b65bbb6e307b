#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The program behind script/vectors: says so when a case disagrees, cannot be
# read or kills its judge; then the vectors themselves, where they are.
set -u
vectors=$1
data=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
bad=0

check() { # WHAT EXIT LAST-LINE DIR [KIND]
    local what=$1 code=$2 last=$3 out rc
    shift 3
    out=$("$vectors" "$@" 2>&1)
    rc=$?
    n=$((n + 1))
    if [ "$rc" = "$code" ] && grep -qxF -- "$last" <<<"$out"; then
        echo "ok $n - $what"
    else
        bad=1
        echo "not ok $n - $what"
        sed 's/^/# /' <<<"$out"
        echo "# exit code $rc, expected $code"
    fi
}

case_of() { # NAME EXPECT [MORE-MEMBERS]
    mkdir -p "$dir/$1/case"
    printf abc >"$dir/$1/case/data.bin"
    printf '{"id": "%s", "kind": "selftest-sha256", %s
        "files": {"data": "data.bin"}, "expect": %s}\n' "$1" "${3-}" "$2" \
        >"$dir/$1/case/expected.json"
}

sum=$(printf abc | sha256sum | cut -d' ' -f1)
case_of right "{\"sha256\": \"$sum\", \"size\": 3, \"empty\": false}"
case_of wrong "{\"sha256\": \"${sum/a/b}\"}"
case_of unknown '{"size": 3, "colour": "red"}'
case_of crash '{"size": 3}' '"abort": "yes",'
case_of missing '{"size": 3}'
rm "$dir/missing/case/data.bin"
mkdir "$dir/strange" "$dir/torn" "$dir/none"
echo '{"kind": "horoscope", "expect": {}}' >"$dir/strange/expected.json"
echo '{"kind": "selftest-sha256",' >"$dir/torn/expected.json"

check "agrees" 0 "1 passed, 0 failed" "$dir/right"
check "a wrong value" 1 "0 passed, 1 failed" "$dir/wrong"
check "a member that nobody compares" 1 "0 passed, 1 failed" "$dir/unknown"
check "a judge that dies" 1 "0 passed, 1 failed" "$dir/crash"
check "an input that is not there" 1 "0 passed, 1 failed" "$dir/missing"
check "a kind without a judge" 1 "0 passed, 1 failed" "$dir/strange"
check "a description that cannot be read" 1 "0 passed, 1 failed" "$dir/torn"
check "no case" 2 "0 passed, 0 failed" "$dir/none"
check "all of them" 1 "1 passed, 6 failed" "$dir"
check "an unknown kind is asked for" 2 \
    "vectors: no judge for kind horoscope; kinds:" "$dir" horoscope

# Kinds that have no vectors in the shared folder: one case each way.
rats_case() { # NAME KIND EXPECT PRINTF-BYTES [MORE-MEMBERS]
    mkdir -p "$dir/rats/$1"
    printf "$4" >"$dir/rats/$1/message"
    printf '{"id": "%s", "kind": "%s", %s "files": {"file": "message"},
        "expect": %s}\n' "$1" "$2" "${5-}" "$3" >"$dir/rats/$1/expected.json"
}
comid='\xa2\x01\xa1\x00at\x04\xa1\x01\x81\x82\xa1\x00\xa1\x01av\x81\xa1\x01\xa1\x01\x05'
rats_case comid comid '{"decode": "ok", "verdict": "accept", "values": 1}' \
    "$comid"
rats_case comid-as-corim corim '{"decode": "ok", "verdict": "accept"}' "$comid"
rats_case comid-trailing comid '{"decode": "fail", "verdict": "reject"}' \
    "$comid\\x00"
rats_case corim corim '{"parse": "ok", "tags": 0, "signed": false}' \
    '\xd9\x01\xf5\xa2\x00bid\x01\x81\xd9\x01\xf9\x40'
rats_case cose cose-sign1 '{"parse": "ok", "alg": "ES256", "detached": false,
    "to_be_signed": "846a5369676e61747572653143a10126404161"}' \
    '\xd2\x84\x43\xa1\x01\x26\xa0\x41a\x40'
rats_case cose-crit cose-sign1 '{"parse": "fail", "verdict": "reject"}' \
    '\xd2\x84\x49\xa3\x01\x26\x02\x81\x18\x63\x18\x63\x00\xa0\x41a\x40'
rats_case eat eat '{"verdict": "accept", "dbgstat": 4}' \
    '\xd9\x02\x59\xa2\x0a\x48abcdefgh\x19\x01\x07\x04' \
    '"inside_attested_channel": true, "nonce": "6162636465666768",'
rats_case eat-replay eat '{"parse": "ok", "verdict": "reject"}' \
    '\xd9\x02\x59\xa1\x0a\x48abcdefgh' \
    '"inside_attested_channel": true, "nonce": "6162636465666769",'
rats_case eat-unsigned eat '{"verdict": "reject"}' \
    '\xd9\x02\x59\xa1\x0a\x48abcdefgh'
check "formats of RATS" 0 "9 passed, 0 failed" "$dir/rats"
sed -i 's/"reject"/"accept"/; s/"ok"/"fail"/; s/ES256/ES384/' \
    "$dir"/rats/*/expected.json
sed -i 's/: 4}/: 3}/' "$dir/rats/eat/expected.json"
check "formats of RATS, each misjudged" 1 "0 passed, 9 failed" "$dir/rats"

for kind in $("$vectors" 2>&1 | sed -n 's/^  //p'); do
    [ "$kind" != selftest-sha256 ] || continue
    n=$((n + 1))
    if [ ! -d "$data/attestation" ]; then
        echo "ok $n # SKIP $kind: the attestation vectors are not here"
        continue
    fi
    out=$("$vectors" "$data/attestation" "$kind" 2>&1)
    last=$(grep ' passed, ' <<<"$out")
    if [ "${last#*passed}" = ", 0 failed" ]; then
        echo "ok $n - $kind: $last"
    else
        bad=1
        echo "not ok $n - $kind"
        sed 's/^/# /' <<<"$out"
    fi
done
# All at once: no case without a judge, and none that was passed over in silence.
if [ -d "$data/attestation" ]; then
    out=$("$vectors" "$data/attestation" 2>&1)
    n=$((n + 1))
    if grep -q '^[1-9][0-9]* passed, 0 failed$' <<<"$out"; then
        echo "ok $n - all: $(tail -n 1 <<<"$out")"
    else
        bad=1
        echo "not ok $n - all"
        sed 's/^/# /' <<<"$out"
    fi
fi
echo "1..$n"
exit $bad
