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
    "qubes.Gpg * ask vault default=vault -> allow from mail to vault deny -> allow from personal, server-signer to vault 3 combinations of source, target and service change rc=1" \
    "$(policy diff zone/policy.d new)"
sed 's/^\*.*/* * @anyvm @anyvm ask/' zone/policy.d/30-user.policy >new/31.policy
mv new/30-user.policy old.policy && mv new/31.policy new/30-user.policy
is "services that change alike are told together, folded" \
    "qair.Sign +release qair.Sign *, * * qubes.Gpg * qubes.Open *" \
    "$("$qair" -z zone policy diff zone new | grep -v -e '^ ' -e combinations | xargs)"
is "and each of them, for programs, with as many calls" "5 true" \
    "$("$qair" -z zone policy diff zone new --json | jq -r '
        [([.changes[] | .service + .argument] | unique | length | tostring),
         ([.changes[] | (.sources | length) * (.targets | length)] | add) == .calls] |
        map(tostring) | join(" ")')"
mv old.policy new/30-user.policy
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
# A folder that is not in use yet is judged by the qubes of the zone.
printf 'qubes.Gpg * work vault allow target=vault\nqubes.Gpg * mail mail allow\nqubes.Gpg * @tag:lost vault deny\n' >new/30-user.policy
is "what is of no use is said, and why" \
    "doubt: 30-user.policy:1: its target= is where each of its calls goes anyway doubt: 30-user.policy:2: lets nothing through: 30-user.policy:2 allows, but a qube cannot call itself doubt: 30-user.policy:3: no qube has the tag lost ok: 3 rules in 1 files rc=0" \
    "$(policy check new | sed 's/, sha256:[0-9a-f]*//')"
is "without qubes little can be judged, and that is said" \
    "no qubes known (-z ZONE): what rules reach is not judged" \
    "$("$qair" -z none policy check new | tail -n 1)"
is "another policy can be asked" "allow work -> vault: allowed by 30-user.policy:1 rc=0" \
    "$(policy eval work vault qubes.Gpg --policy new)"
echo 'qubes.SomeVeryLongServiceName +with-an-argument @tag:trusted @anyvm ask default_target=vault' \
    >>new/30-user.policy
is "no line of explain is longer than 60, no word of a rule is lost" \
    "rules: 4, too long: 0, last word: default_target=vault" \
    "$("$qair" -z zone policy explain work vault qubes.Gpg --policy new |
        awk 'length > 60 { long++ } /differs|decides|matches,/ { n++; last = word }
            { word = $NF }
            END { printf "rules: %d, too long: %d, last word: %s", n, long, last }')"

# Rules that want a state of the source's zone.
mkdir golden plain
echo 'qubes.Gpg * work vault allow state=golden' >golden/30-user.policy
echo 'qubes.Gpg * work vault allow' >plain/30-user.policy
is "a state that nobody named is not known" \
    "deny: no rule matches; 30-user.policy:1 wants state=golden, and the state of the source zone is not known rc=1" \
    "$(policy eval work vault qubes.Gpg --policy golden)"
is "the state that is wanted" "allow work -> vault: allowed by 30-user.policy:1 rc=0" \
    "$(policy eval work vault qubes.Gpg --policy golden --state golden)"
is "the same on a software TPM" 1 \
    "$(policy eval work vault qubes.Gpg --policy golden --state 'golden (emulated)' | grep -c 'is golden (emulated) rc=1')"
is "explain says which word differs" 1 \
    "$(policy explain work vault qubes.Gpg --policy golden --state blue | grep -c "the state of the source zone differs")"
is "reach says that a state is needed" \
    "work -> vault, while the source zone is in state golden by qubes.Gpg * rc=0" \
    "$(policy reach work vault --policy golden)"
is "diff says in which states it differs" \
    "qubes.Gpg * allow -> deny, when the source zone is in none of these states from work to vault allow -> deny, when the source zone is in state golden (emulated) from work to vault 2 combinations of source, target and service change rc=1" \
    "$(policy diff plain golden)"
is "a rule for a state is of use beside one for all" 0 \
    "$(printf 'qubes.Gpg * work vault allow state=golden\nqubes.Gpg * work vault deny\n' >golden/30-user.policy
        policy check golden | grep -c doubt)"
is "a state on deny is an error" 1 \
    "$(echo 'qubes.Gpg * work vault deny state=golden' >golden/30-user.policy
        "$qair" -z zone policy check golden 2>&1 | tr -d "'" | grep -c 'deny takes no state=')"

# A Qubes host: what qubesd says of its qubes, and folders of rules.
cat >system.json <<'END'
{"domains": {
 "dom0": {"tags": [], "type": "AdminVM", "power_state": "Running"},
 "work": {"tags": ["dev"], "type": "AppVM", "default_dispvm": "dvm",
          "power_state": "Running", "guivm": null, "internal": null},
 "relay": {"tags": [], "type": "AppVM", "power_state": "Halted"},
 "dvm": {"tags": [], "type": "AppVM", "power_state": "Halted",
         "template_for_dispvms": true},
 "far": {"tags": ["relayvm-relay"], "type": "RemoteVM", "relayvm": "relay",
         "transport_rpc": "my.Transport", "power_state": "Running"}}}
END
mkdir host include
echo 'qubes.Gpg * work far ask' >include/gpg
printf '!include ../include/gpg\nmy.Transport * work relay allow autostart=no\nqubes.Open * @anyvm @dispvm allow\n' \
    >host/30-user.policy
is "its rules, with what they include from elsewhere" \
    "work -> far, when a person agrees, over relay relay by qubes.Gpg * rc=0" \
    "$(policy reach work far --policy host --system system.json)"
is "its disposables" "work -> @dispvm:dvm by qubes.Open *, asking for @dispvm rc=0" \
    "$(policy reach work @dispvm:dvm --policy host --system system.json)"
is "its transport service, though the relay does not run now" 1 "$(policy check host --system system.json |
    grep -c 'error: 30-user.policy:2: lets work call the transport service my.Transport')"
is "that it does not run now is said of one call" \
    "deny: 30-user.policy:2 allows only targets that run already rc=1" \
    "$(policy eval work relay my.Transport --policy host --system system.json)"
mkdir host2 && echo 'qubes.Open * @anyvm @dispvm ask' >host2/30-user.policy
is "two policies of it" "3 3" \
    "$("$qair" policy diff host host2 --system system.json --json |
        jq -r '"\(.calls) \(.changes | length)"')"
is "an error is no policy of it" "qair: 30-user.policy:4: rc=1" \
    "$(echo bad >>host/30-user.policy; policy check host --system system.json |
        sed 's/policy:4: .* rc/policy:4: rc/')"
is "a system that says nothing of qubes" "qair: bad.json: system information of qubesd: no domains rc=1" \
    "$(echo '{}' >bad.json; policy check host2 --system bad.json)"
# ---- words that are wrong ----------------------------------------------------

is "--help of a verb is an answer, not a misuse" \
    "qair policy hash [DIR] [--json] the digest that records and statements name rc=0" \
    "$(policy hash --help)"
is "diff says which folder is not there, once" \
    "qair: nowhere: No such file or directory rc=2" "$(policy diff zone nowhere)"
is "so does --system" "qair: nowhere: no such file rc=2" \
    "$(policy diff zone new --system nowhere)"

echo "1..$n"
exit "$bad"
