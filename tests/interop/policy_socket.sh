#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The recorded cases of Qubes' own policy engine, as the policy socket answers
# them: policy_socket.sh POLICY-SOCKET DATA
set -eu
program=$1 cases=${QAIR_SHARED:-$2}/policy/cases.jsonl.gz

if [ ! -r "$cases" ]; then
    echo "skipped: no $cases (set QAIR_SHARED)"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
zcat "$cases" > "$dir/cases"
"$program" "$dir/cases"
