#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two zones, each in a network namespace, over a line that is slow, loses and
# reorders, and at times is not there.  Real processes at both ends of a call.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../wan/lib.sh"
why=$(wan_missing)
[ -z "$why" ] || skip_all "$why"
begin
# lib.sh cleans up at the end; the line goes first.
eval "$(declare -f finish | sed '1s/finish/finish_zones/')"
finish() {
    local rc=$?
    wan_down
    (exit "$rc")
    finish_zones
}
wan_up "${QAIR_WAN:-$build/tests/wan/wan}" --delay 10 --jitter 4 --loss 5000 \
    --rate 100000 --seed 7 >>"$work/setup.log" 2>&1 ||
    skip_all "the line could not be made"

zones_host=10.99.0.2 in_server="ip netns exec $wan_b" in_thin="ip netns exec $wan_a"
mark=86400.$$
zones_create 7443
for z in server thin; do qair -z "$z" zone stop >>setup.log; done
mkdir -p server/services
cat >server/services/test.Wait <<END
#!/bin/sh
exec sleep $mark
END
cat >server/services/test.Count <<'END'
#!/bin/sh
i=0
while [ $i -lt 90 ]; do
    i=$((i + 1))
    printf '%08d%s\n' $i "$(printf %08000d 0)"
    sleep 0.1
done
END
cat >server/services/test.Echo <<'END'
#!/bin/sh
exec cat
END
chmod 755 server/services/test.*
sed -i 's/^services = .*/& test.Wait test.Count test.Echo/' server/qubes.d/signer.conf
echo '* * thin-work signer allow' >server/policy.d/20-test.policy
echo '* * work server-signer allow' >thin/policy.d/20-test.policy
run "$in_server qair -z server zone start"
run "$in_thin qair -z thin zone start"
zones_enrol server
zones_enrol thin
zones_approve server
zones_approve thin
zones_install_pack
zones_keys

head -c 300000 /dev/urandom >artefact
signs() { timeout "${2:-60}" qair -z thin qube run work -- qrexec-client-vm \
    server-signer qair.Sign+release-ed25519 <artefact >"$1"; }
call() { exec qair -z thin qube run work -- \
    qrexec-client-vm server-signer "$1" </dev/null; }
service_runs() { pgrep -fx "sleep $mark" >/dev/null; }
service_is_gone() { ! service_runs; }

netd_serves() { pid_of "$1" qair-netd && qair -z "$1" zone status; }

ok "a signature over a line that loses and reorders" signs first
ok "it verifies" qair verify first artefact --pack owner/pack

# A hundred calls of one qube at once, on one channel.
many() {
    [ "$(qair -z thin qube run work -- 'for i in $(seq 100); do
        echo "question $i" | qrexec-client-vm server-signer test.Echo &
        done; wait' | sort -u | grep -c "^question [0-9]*$")" = 100 ]
}
ok "a hundred calls at once are answered" many

# The caller goes: the far service goes, too.
(call test.Wait) &
caller=$!
ok "a call runs over there" wait_until 20 service_runs
kill -INT $caller 2>/dev/null
kill -TERM $caller 2>/dev/null
wait $caller 2>/dev/null
ok "an interrupted caller ends the service" wait_until 20 service_is_gone

(call test.Wait) >/dev/null 2>&1 &
caller=$!
ok "one more runs" wait_until 20 service_runs
kill -9 "$(pid_of thin qair-netd)"
ok "netd here dies: the service ends" wait_until 20 service_is_gone
wait $caller
ok "and the caller is told" [ $? != 0 ]
ok "netd is back" wait_until 20 netd_serves thin

# The service goes: the caller hears it.
(call test.Wait) >"$work/out" 2>&1 &
caller=$!
ok "and one more" wait_until 30 service_runs
pkill -9 -fx "sleep $mark"
wait $caller
code=$?
ok "the caller gets the service's end (128 + KILL)" [ "$code" = 137 ]

# A partition in the middle of a stream: nothing is lost, nothing twice.
(call test.Count) >counted 2>count.err &
caller=$!
ok "a stream runs" wait_until 30 grep -q ^00000010 counted
wan_cut
sleep 6
before=$(wc -l <counted)
wan_mend
wait $caller
code=$?
whole() { [ "$code" = 0 ] && [ "$before" -lt 85 ] &&
    [ "$(cut -c 1-8 counted)" = "$(seq -f %08.0f 90)" ]; }
ok "a partition cuts no call, loses nothing, repeats nothing" whole

# No channel, no line: the call waits for both.
wan_cut
kill -9 "$(pid_of thin qair-netd)"
ok "netd here begins anew, with no channel" wait_until 20 netd_serves thin
signs waited 50 2>waited.err &
caller=$!
sleep 3
kill -0 $caller 2>/dev/null
ok "a call waits while there is no line" [ $? = 0 ]
wan_mend
ok "and is made when it is back" wait $caller
ok "it verifies" qair verify waited artefact --pack owner/pack

# The far end died while nobody could tell: half open on this side.
wan_cut
kill -9 "$(pid_of server qair-netd)"
ok "netd there begins anew" wait_until 20 netd_serves server
wan_mend
again() { signs again 20; }
ok "a channel whose far end died unseen is replaced" wait_until 40 again
ok "the server's log verifies" qair -z server log verify
ok "the thin zone's log verifies" qair -z thin log verify
end
