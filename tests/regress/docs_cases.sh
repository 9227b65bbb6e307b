#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each test that docs/qubes.md and docs/policy.md name exists, and has the case
# that they name: docs_cases.sh SOURCE-ROOT.  Read are the tables whose last
# column is "test".  "..." in a name stands for anything.
set -u
cd "$1" || exit 1
n=0
bad=0
has() { # FILE NAME
    local part
    [ -e "tests/$1" ] || return 1
    while IFS= read -r part; do
        part=${part# }
        part=${part% }
        grep -qF -- "$part" "tests/$1" || return 1
    done < <(printf '%s\n' "${2//.../$'\n'}" | grep -v '^ *$')
}
while IFS= read -r cell; do
    file=
    while IFS= read -r piece; do
        name=$piece
        if [[ $piece =~ ^\`([^\`]*)\`:?\ *(.*)$ ]]; then
            file=${BASH_REMATCH[1]}
            name=${BASH_REMATCH[2]}
        fi
        n=$((n + 1))
        if has "$file" "$name"; then
            echo "ok $n - $file $name"
        else
            echo "not ok $n - $file $name"
            bad=1
        fi
    done < <(sed 's/, `/\n`/g; s/; /\n/g' <<< "$cell")
done < <(for page in docs/qubes.md docs/policy.md; do
    awk '!/^\|/ { table = 0 }
        /^\|/ && !table { table = 1; take = /\| test \|$/; next }
        take && table && !/^\| ---/' "$page" | sed 's/^| .* | \(.*\) |$/\1/'
done)
[ "$n" -gt 80 ] || { echo "not ok $((++n)) - the tables are read" && bad=1; }
echo "1..$n"
exit $bad
