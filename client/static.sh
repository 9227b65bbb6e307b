#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# static.sh OUT MAP LIB ROOM...: LIB and what it needs of the rooms as a library
# of one object, in which only the names of MAP are to be seen.
set -eu
out=$1 map=$2 lib=$3
shift 3
trap 'rm -f "$out.o" "$out.keep"' EXIT
sed -n 's/^ *\(qair_[a-z_]*\);$/\1/p' "$map" >"$out.keep"
[ -s "$out.keep" ]
ld -r -o "$out.o" --whole-archive "$lib" --no-whole-archive "$@"
objcopy --keep-global-symbols="$out.keep" "$out.o"
rm -f "$out"
ar rcD "$out" "$out.o"
