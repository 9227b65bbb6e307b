#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# qair policy on a zone's files: policy.sh QAIR
set -u
qair=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

is() { # NAME EXPECTED-CODE EXPECTED-PART COMMAND...
    n=$((n + 1))
    name=$1 code=$2 part=$3
    shift 3
    out=$("$@" 2>&1)
    got=$?
    case "$got:$out" in
    "$code:"*"$part"*) echo "ok $n - $name" ;;
    *)
        echo "not ok $n - $name"
        echo "# exit $got, not $code; no '$part' in:"
        echo "$out" | sed 's/^/# /'
        ;;
    esac
}

mkdir -p "$dir/policy.d/include" "$dir/qubes.d"
cat > "$dir/policy.d/30-sign.policy" <<'EOF'
# who may sign
qair.Sign +release work server-signer allow
qair.Sign *        @anyvm @anyvm      deny
!include include/ask
EOF
echo 's.Ask * work @anyvm ask default_target=play' > "$dir/policy.d/include/ask"
printf 'type = AppVM\ntags = trusted\n' > "$dir/qubes.d/work.conf"
printf 'type = AppVM\n' > "$dir/qubes.d/play.conf"
printf 'type = RemoteVM\nzone = server\nremote-name = signer\n' \
    > "$dir/qubes.d/server-signer.conf"
p="$qair -z $dir policy"

is 'check' 0 'ok: 3 rules in 2 files, sha256:' $p check
for verb in check hash 'eval work server-signer qair.Sign+release'; do
    for form in '' --json; do
        is "an answer that cannot be written is no success: $verb $form" 1 \
            'qair: cannot write the answer: No space left on device' \
            sh -c "$p $verb $form > /dev/full"
    done
done
is 'check as JSON' 0 '"ok":true,"rules":3' $p check --json
is 'check of a folder' 0 'ok: 3 rules' "$qair" policy check "$dir/policy.d"
is 'check of no folder' 1 'No such file' "$qair" policy check "$dir/none"
hash=$($p hash)
is 'hash is that of check' 0 "$hash" $p check
is 'hash of the folder is the same' 0 "$hash" "$qair" policy hash "$dir/policy.d"
is 'allow' 0 'allow work -> server-signer (qube signer of zone server): allowed by 30-sign.policy:2' \
    $p eval work server-signer qair.Sign+release
is 'allow as JSON' 0 '"zone":"server"' \
    $p eval work server-signer qair.Sign+release --json
is 'JSON names the digest' 0 "\"policy\":\"$hash\"" \
    $p eval work server-signer qair.Sign+release --json
is 'deny' 1 'deny: denied by 30-sign.policy:3' \
    $p eval play server-signer qair.Sign+release
is 'no rule' 1 'deny: no rule matches' $p eval work play s.Other
is 'unknown caller' 1 'no qube of this zone' $p eval nobody play s.Other
is 'ask is not yes' 1 'play (default)' $p eval work play s.Ask
is 'ask does not offer the caller' 1 '"targets":["play","server-signer"]' \
    $p eval work play s.Ask --json
is 'explain shows the rule' 0 '-> 30-sign.policy:2:' \
    $p explain work server-signer qair.Sign+release
is 'explain shows why not' 1 'argument differs' \
    $p explain work server-signer qair.Sign+x
is 'explain as JSON' 0 '"decides":true,"finding":"decides"' \
    $p explain work server-signer qair.Sign+release --json
is 'too few words' 2 'too few words' $p eval work play
is 'unknown option' 2 "unknown option '--bogus'" $p eval --bogus
is 'unknown verb' 2 "no verb 'evaluate'" $p evaluate

echo 's.X * wrok play allow' > "$dir/policy.d/40-odd.policy"
is 'a doubt' 0 "doubt: 40-odd.policy:1: source 'wrok'" $p check
n1=$($p hash)
is 'another policy has another hash' 1 '' test "$n1" = "$hash"
echo 's.X * work play alow' > "$dir/policy.d/40-odd.policy"
is 'an error has its line' 1 "40-odd.policy:1: 'alow' is not allow" $p check
is 'an error as JSON' 1 '"ok":false' $p check --json
is 'an error denies all else' 1 "deny: 40-odd.policy:1: 'alow'" \
    $p eval work server-signer qair.Sign+release
rm "$dir/policy.d/40-odd.policy"
ln -s /etc/hostname "$dir/policy.d/40-link.policy"
is 'a link is refused' 1 '40-link.policy' $p check
is 'and denies all' 1 'deny: ' $p eval work server-signer qair.Sign+release
rm "$dir/policy.d/40-link.policy"
echo 'type = What' > "$dir/qubes.d/work.conf"
is 'a broken qube' 1 'work.conf:1' \
    $p eval work server-signer qair.Sign+release
rm -r "$dir/policy.d"
rm "$dir/qubes.d/work.conf"
is 'no policy denies all' 0 '(everything is denied)' $p check
is 'no zone' 1 'No such file' "$qair" -z "$dir/none" policy check

printf '{"files":{"a.policy":"* * * * allow"},"system_info":{"domains":{"a":{},"b":{}}},"source":"a","target":"b","service":"s.A"}\nnonsense\n\n[1]\n' > "$dir/batch"
is 'batch answers' 0 '"requested_target=b"' "$qair" policy batch "$dir/batch"
is 'batch answers every line' 0 4 sh -c "'$qair' policy batch < '$dir/batch' | wc -l"
is 'batch of a bad line denies' 0 '"class":"request"' \
    sh -c "sed 1d '$dir/batch' | '$qair' policy batch -"
is 'batch of no file' 1 'No such file' "$qair" policy batch "$dir/none"
is 'batch into a full disk' 1 'cannot write' \
    sh -c "'$qair' policy batch '$dir/batch' > /dev/full"

# One bad line after the other: each gets its deny, and none ends the batch.
cat > "$dir/bad" <<'EOF'
{}
{"files":[]}
{"files":{"a.policy":1}}
{"files":{"a.policy":"x"}}
{"files":{},"system_info":7}
{"files":{},"system_info":{"domains":[]}}
{"files":{},"system_info":{"domains":{"a":1}}}
{"files":{},"system_info":{"domains":{"a":{"tags":"x"}}}}
{"files":{},"system_info":{"domains":{"a":{"tags":[1]}}}}
{"files":{},"system_info":{"domains":{"a":{"type":1}}}}
{"files":{},"system_info":{"domains":{"a":{"internal":"yes"}}}}
{"files":{},"system_info":{"domains":{"a":{"power_state":false}}}}
{"files":{},"system_info":{"domains":{"xäääääääääääääääääääääääääääääääääääää":1}}}
{"files":{},"system_info":{"domains":{"ä b":{}}},"source":"a","target":"","service":"s"}
{"files":{},"system_info":{"domains":{}}}
{"files":{},"system_info":{"domains":{}},"source":"a"}
{"files":{},"system_info":{"domains":{}},"source":null,"target":"a","service":"s"}
{"files":{},"system_info":{"domains":{}},"source":"a","target":"a","service":7}
{"files":{},"system_info":{"domains":{}},"source":"a","target":"a","service":"s","requested_source":1}
{"files":{},"files":{},"system_info":{"domains":{}},"source":"a","target":"a","service":"s"}
{"files":{"a.policy":"\u0000"},"system_info":{"domains":{}},"source":"dom0","target":"a","service":"s"}
{"files":{"\u00e4.policy":""},"system_info":{"domains":{}},"source":"dom0","target":"a","service":"s"}
{"files":{},"compat":[],"system_info":{"domains":{}},"source":"dom0","target":"a","service":"s"}
{"files":{},"system_info":{"domains":{}},"source":"dom0","target":"\ud800","service":"s"}
"text"
[[[[[[[[[[
EOF
printf '\377\376\n\000\n{"files":{}' >> "$dir/bad"
lines=$(($(wc -l < "$dir/bad") + 1))
is 'every bad line gets a deny' 0 "$lines" sh -c \
    "'$qair' policy batch '$dir/bad' | grep -c '^{\"class\":\"[a-z]*\",.*\"result\":\"deny\"}\$'"
echo '{"files":{"a.policy":"* * * z allow user=u"},"system_info":{"domains":{"a":{},"z":{"type":"RemoteVM","zone":"far","remote_name":"y","power_state":"Running"}}},"source":"a","target":"z","service":"s.A"}' > "$dir/zone"
is 'batch of a zone RemoteVM' 0 '"target=z","zone=far","remote_name=y"' \
    "$qair" policy batch "$dir/zone"
echo "1..$n"
