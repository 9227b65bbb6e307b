#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Looking at a policy as a whole: check, diff, reach.  TAP; argument: qair.
set -u
qair=$(realpath "$1")
unset QAIR_ZONE
work=$(mktemp -d "${TMPDIR:-/tmp}/qair-tools.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

n=0 bad=0
# is TEXT WANTED GOT
is() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        bad=1
        echo "not ok $n - $1"
        printf '# wanted: %s\n# got:    %s\n' "$2" "$3" | head -n 40
    fi
}
policy() { # what it said, on one line, and the exit code
    "$qair" -z zone policy "$@" >out 2>&1
    local rc=$?
    echo "$(xargs <out) rc=$rc"
}

mkdir -p zone/policy.d zone/qubes.d new
echo 'name = home' >zone/zone.conf
for q in work mail vault personal; do
    echo 'type = AppVM' >"zone/qubes.d/$q.conf"
done
printf 'type = RemoteVM\nzone = server\nremote-name = signer\n' \
    >zone/qubes.d/server-signer.conf
cat >zone/policy.d/30-user.policy <<'END'
qubes.Gpg   *         work      vault          allow
qubes.Gpg   *         mail      vault          ask default_target=vault
qubes.Open  *         @anyvm    @default       allow target=personal
qair.Sign   +release  personal  server-signer  allow
*           *         @anyvm    @anyvm         deny
END
cp zone/policy.d/30-user.policy new/

is "a policy that is all right" "ok: 5 rules in 1 files rc=0" \
    "$(policy check | sed 's/, sha256:[0-9a-f]*//')"
is "nothing changes against itself" \
    "nothing changes for the qubes of this zone rc=0" "$(policy diff zone new)"
sed -i 's/^qubes.Gpg   \*         work/qubes.Gpg   *         @anyvm/' new/30-user.policy
is "who gains, and who loses the question" \
    "qubes.Gpg * ask vault default=vault -> allow from mail to vault qubes.Gpg * deny -> allow from personal, server-signer to vault 3 combinations of source, target and service change rc=1" \
    "$(policy diff zone/policy.d new)"
is "the same for programs" "3 deny allow personal server-signer vault" \
    "$("$qair" -z zone policy diff zone new --json |
        jq -r '[.calls, .changes[1].before, .changes[1].after, .changes[1].sources[], .changes[1].targets[]] | join(" ")')"
is "no line of it is longer than 60" "" "$("$qair" -z zone policy diff zone new | awk 'length > 60')"
echo 'no rule' >new/99-bad.policy
is "a policy with an error is not compared" 2 \
    "$("$qair" -z zone policy diff zone new >/dev/null 2>&1; echo $?)"
rm new/99-bad.policy
is "a misuse" 2 "$("$qair" -z zone policy diff zone 2>/dev/null; echo $?)"

is "over two calls and out of the zone" \
    "work -> personal by qubes.Open *, asking for @default personal -> server-signer, in zone server by qair.Sign +release rc=0" \
    "$(policy reach work server-signer)"
is "not with one call" \
    "no call, nor chain of calls, leads from work to server-signer rc=1" \
    "$(policy reach work server-signer --max-hops 1)"
is "not by another service" "1" \
    "$(policy reach work server-signer --service qubes.Open | grep -c 'rc=1')"
is "when a person agrees" \
    "mail -> vault, when a person agrees by qubes.Gpg * rc=0" \
    "$(policy reach mail vault)"
is "never" "no call, nor chain of calls, leads from vault to work rc=1" \
    "$(policy reach vault work)"
is "from nowhere" "qair: no qube gone rc=1" "$(policy reach gone work)"

sed -i '1i qair.Relay * @anyvm @anyvm ask' zone/policy.d/30-user.policy
is "a rule that opens the transport service is an error" 1 \
    "$(policy check | grep -c 'error: 30-user.policy:1: .*transport service qair.Relay.*rc=1')"
sed -i '1d' zone/policy.d/30-user.policy
sed -i '$d' zone/policy.d/30-user.policy
printf '* * @anyvm @anyvm allow\n' >>zone/policy.d/30-user.policy
is "so is one that opens everything" 1 \
    "$(policy check | grep -c 'error: 30-user.policy:5: .*rc=1')"
sed -i '$d' zone/policy.d/30-user.policy
printf 'qubes.Gpg +x work @type:AppVM deny\nqubes.A * work mail deny\nqubes.A * mail work deny\nqubes.A +y work @anyvm allow\nqubes.A +y @anyvm mail ask\nqubes.B * @tag:none mail allow\n* * @anyvm @anyvm deny\n' \
    >>zone/policy.d/30-user.policy
is "a rule that nobody fits is doubted, others are not" "30-user.policy:10" \
    "$("$qair" -z zone policy check --json | jq -r '[.doubts[].rule] | join(" ")')"
echo "1..$n"
exit "$bad"
