#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The policy admin API: qubes_policy_admin.sh QREXEC-POLICY-ADMIN
set -u
admin=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0
export QREXEC_POLICY_DIR=$dir/etc QREXEC_POLICY_RUNTIME_DIR=$dir/run \
    QREXEC_POLICY_COMPAT_DIR=$dir/compat QREXEC_REMOTE_DOMAIN=work
mkdir -p "$dir/etc/include" "$dir/run" "$dir/compat"
printf 's.A * work vault allow\n!include include/one\n' > "$dir/etc/30-user.policy"
printf '* * @anyvm @anyvm deny\n' > "$dir/etc/90-default.policy"
printf 's.B * work vault ask\n' > "$dir/etc/include/one"

result() { # NAME RIGHT
    n=$((n + 1))
    if "${@:2}"; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '# exit %s, out: %s, err: %s\n' "$code" "$out" "$err" | tr '\n' ' '
        echo
    fi
}
call() { # SERVICE+ARG [PAYLOAD]: out, err, code
    printf '%b' "${2-}" > "$dir/payload"
    QREXEC_SERVICE_FULL_NAME=$1 "$admin" < "$dir/payload" > "$dir/out" 2> "$dir/err"
    code=$?
    out=$(cat "$dir/out")
    err=$(cat "$dir/err")
}
token() { printf 'sha256:%s' "$(sha256sum < "$dir/etc/$1" | cut -d' ' -f1)"; }
gives() { [ "$code" = 0 ] && [ "$out" = "$1" ]; }
done_() { [ "$code" = 0 ] && [ -z "$out$err" ]; }
refused() { [ "$code" = 1 ] && [ -z "$out" ] && [[ $err == "$1"* ]]; }
holds() { [ "$(cat "$dir/etc/$1")" = "$2" ]; }

# ---- reading
call policy.List
result 'List' gives '30-user
90-default'
call policy.include.List
result 'include.List' gives 'one'
call policy.Get+30-user
result 'Get: the token, then the file' gives "$(token 30-user.policy)
$(cat "$dir/etc/30-user.policy")"
call policy.include.Get+one
result 'include.Get' gives "$(token include/one)
s.B * work vault ask"
call policy.Get+none
result 'Get of no file' refused 'PolicyAdminException Not found: none.policy'
call policy.GetFiles+s.A
result 'GetFiles: where a service has rules' gives '30-user
90-default'
call policy.GetFiles+s.B
result 'GetFiles: also in an include' gives 'one
90-default'
echo '!compat-4.0' > "$dir/etc/35-compat.policy"
echo '$anyvm $anyvm deny' > "$dir/compat/s.Old"
call policy.GetFiles+s.Old
result 'GetFiles: a legacy file by its path' gives "$dir/compat/s.Old
90-default"
rm "$dir/etc/35-compat.policy" "$dir/compat/s.Old"
call policy.GetFiles+
result 'GetFiles of no service' refused 'PolicyAdminException Service cannot be empty.'
call policy.GetFiles+s.A+x
result 'GetFiles of an argument' refused 'PolicyAdminException Service contains invalid'

# ---- what may not be asked
call policy.List+x
result 'List takes no argument' refused 'PolicyAdminException Unexpected argument'
call policy.Get+30-user payload
result 'Get takes no payload' refused 'PolicyAdminException Unexpected payload'
call policy.Format+x
result 'an unknown service' refused 'PolicyAdminException unrecognized method'
echo secret > "$dir/outside.policy"
for name in '' . .. .hidden ../outside 'a/b' '..%2foutside' "$(printf 'a\001')" \
    "$(head -c 300 /dev/zero | tr '\0' a)"; do
    call "policy.Get+$name"
    result "no way out by '${name:0:12}': Get" refused PolicyAdminException
    call "policy.Replace+$name" 'any\ns.A * a b deny\n'
    result "no way out by '${name:0:12}': Replace" refused PolicyAdminException
done
call policy.include.Replace+.. 'any\nx'
result 'nor by include' refused PolicyAdminException
call policy.Replace+x.tmp 'any\n'
result 'x.tmp.policy is a name' done_
rm -f "$dir/etc/x.tmp.policy"
call policy.include.Replace+x.tmp 'any\n'
result 'a name of a file that is being written is not' refused PolicyAdminException
call policy.Replace+30-User 'any\n'
result 'a name that would deny everything' refused 'PolicyAdminException Policy change validation failed'

# ---- tokens
old=$(token 30-user.policy)
call policy.Replace+30-user "s.A * work vault deny"
result 'Replace needs a line with a token' refused 'PolicyAdminException Payload needs to include first line with token'
call policy.Replace+30-user 'md5:12\nx'
result 'an unknown token' refused 'PolicyAdminException Unrecognized token'
call policy.Replace+30-user 'new\n'
result 'new, and the file is there' refused "PolicyAdminTokenException File exists but token is 'new'"
call policy.Replace+31-other "$old\n"
result 'a token, and no file' refused "PolicyAdminTokenException File doesn't exist, but token isn't 'new'"
call policy.Replace+30-user "sha256:$(printf '0%.0s' $(seq 64))\n"
result 'the token of another content' refused 'PolicyAdminTokenException Token mismatch'
call policy.Replace+30-user "$old \n"
result 'a token and a space' refused 'PolicyAdminTokenException Token mismatch'
result 'nothing has changed' [ "$(token 30-user.policy)" = "$old" ]
chmod 640 "$dir/etc/30-user.policy"
call policy.Replace+30-user "$old\ns.A * work vault deny\n!include include/one\n"
result 'Replace with the token' done_
result 'is made' holds 30-user.policy 's.A * work vault deny
!include include/one'
result 'and leaves the mode' [ "$(stat -c %a "$dir/etc/30-user.policy")" = 640 ]
call policy.Replace+30-user "$old\n"
result 'the old token is spent' refused 'PolicyAdminTokenException Token mismatch'
call policy.Replace+31-new 'new\ns.C * work vault allow\n'
result 'a new file' done_
result 'is there' holds 31-new.policy 's.C * work vault allow'
call policy.include.Replace+one 'any\ns.B * work vault deny\n'
result 'include.Replace' done_
result 'is made: include' holds include/one 's.B * work vault deny'

# ---- validation: the policy that would be
for text in 's.A * work' 's.A * work vault allow user=a:b\n' '# \0377\n' 'x\0000y' \
    '!include include/none\n' '!include 31-new.policy\n'; do
    before=$(token 31-new.policy)
    call policy.Replace+31-new "any\n$text"
    result "refused: ${text:0:30}" refused 'PolicyAdminException Policy change validation failed'
    result 'and the file is as it was' [ "$(token 31-new.policy)" = "$before" ]
done
call policy.include.Replace+one 'any\n!include 30-user.policy\n'
result 'a loop of includes' refused 'PolicyAdminException Policy change validation failed'
call policy.include.Replace+unused 'any\n\0377'
result 'what nothing includes is text at least' refused 'PolicyAdminException Policy change validation failed'
call policy.include.Remove+one any
result 'Remove of what is included' refused 'PolicyAdminException Policy change validation failed'
result 'and it is still there' [ -e "$dir/etc/include/one" ]
echo 'not a rule' > "$dir/run/10-run.policy"
call policy.Replace+31-new 'any\ns.C * work vault deny\n'
result 'the whole policy is read, /run too' refused 'PolicyAdminException Policy change validation failed'
rm "$dir/run/10-run.policy"

# ---- removing
call policy.Remove+31-new
result 'Remove needs a token' refused 'PolicyAdminException Unrecognized token'
call policy.Remove+31-new "$(token 30-user.policy)"
result 'that of this file' refused 'PolicyAdminTokenException Token mismatch'
call policy.Remove+none any
result 'Remove of no file' refused 'PolicyAdminException Not found'
call policy.Remove+31-new "$(token 31-new.policy)"
result 'Remove' done_
result 'it is gone' [ ! -e "$dir/etc/31-new.policy" ]

# ---- sizes, disks, links, at once
head -c 1100000 /dev/zero | tr '\0' '#' > "$dir/big"
QREXEC_SERVICE_FULL_NAME=policy.Replace+30-user "$admin" \
    < <(echo any; cat "$dir/big") > "$dir/out" 2> "$dir/err"
code=$? out=$(cat "$dir/out") err=$(cat "$dir/err")
result 'a file over its limit' refused 'PolicyAdminException'
before=$(token 30-user.policy)
(
    ulimit -f 8
    { echo any; yes '# x' | head -n 15000; } |
        QREXEC_SERVICE_FULL_NAME=policy.Replace+30-user "$admin" 2> "$dir/err"
)
code=$? out='' err=$(cat "$dir/err")
result 'a full disk is trouble' [ "$code" = 2 ]
result 'and leaves the old file' [ "$(token 30-user.policy)" = "$before" ]
result 'and nothing else' [ -z "$(find "$dir/etc" -name '*.tmp*')" ]
echo 'outside' > "$dir/target"
ln -s "$dir/target" "$dir/etc/include/link"
call policy.include.Get+link
result 'a link that leads out is not read' [ "$code" != 0 ]
result 'nor shown' [ -z "$out" ]
call policy.include.Replace+link 'any\ninside\n'
result 'and replaced, not followed' [ "$(cat "$dir/target")" = outside ]
rm -f "$dir/etc/include/link"
call policy.Get+30-user
base=$(token 30-user.policy)
for i in 1 2 3 4 5 6 7 8; do
    printf '%s\ns.A * work vault allow user=u%s\n!include include/one\n' "$base" "$i" |
        QREXEC_SERVICE_FULL_NAME=policy.Replace+30-user "$admin" 2> /dev/null &&
        echo "$i" >> "$dir/winners" &
done
wait
result 'of eight changes of one state, one is made' [ "$(wc -l < "$dir/winners")" = 1 ]
ln -s "$admin" "$dir/policy.Get"
out=$("$dir/policy.Get" 90-default < /dev/null 2> "$dir/err")
code=$? err=$(cat "$dir/err")
result 'by hand: the name of the link and an argument' gives "$(token 90-default.policy)
* * @anyvm @anyvm deny"
out=$("$admin" --help)
code=$?
result '--help' [ -n "$out" ]
echo "1..$n"
