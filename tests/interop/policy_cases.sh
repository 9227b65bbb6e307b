#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks `qair policy batch` the recorded cases of Qubes' own policy engine and
# compares: policy_cases.sh QAIR COMPARE DATA
set -eu
qair=$1 compare=$2 cases=${QAIR_SHARED:-$3}/policy/cases.jsonl.gz

if [ ! -r "$cases" ]; then
    echo "skipped: no $cases (set QAIR_SHARED)"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
zcat "$cases" > "$dir/cases"
"$qair" policy batch "$dir/cases" > "$dir/answers"
"$compare" "$dir/cases" "$dir/answers"
