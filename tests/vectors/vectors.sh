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
echo "1..$n"
exit $bad
