#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Evidence near its limit: both zones have a kernel's list of 3.9 MB to show,
# on channels, in enrolment, and in the receipt.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_create "$(zones_free_port)"
for z in server thin; do
    run "qair -z $z zone stop"
    head -c 3900000 /dev/urandom >"$z.list"
    printf '%s\n' "pcrs = 0,10,14" "measured-files = $work/$z.list" \
        "reattest-interval = 5" >>$z/zone.conf
    run "qair -z $z zone start"
done
zones_enrol server
zones_enrol thin
zones_approve server
zones_approve thin
zones_install_pack
zones_keys
echo artefact >artefact

large() { [ "$(stat -c %s "$1")" -gt "$2" ]; }
ok "evidence carries the list" large server.evidence 3900000
signs() { sign work release artefact r.json; }
ok "signs over a channel that carried it both ways" wait_until 60 signs
ok "the receipt carries it too" large r.json 5200000
ok "and verifies" qair verify r.json artefact --pack owner/pack
again() { # it is taken anew while the channel lives
    [ "$(qair -z thin log show | grep -c 'reattested to zone server')" -ge 2 ]
}
ok "it is taken again, and the channel lives" wait_until 60 again
ok "signs on that channel" signs
printf x | dd of=server.list bs=1 seek=3900000 conv=notrunc status=none
truncate -s 4194304 server.list
closed() { ! signs; }
ok "a list that does not fit ends the channel" wait_until 60 closed
end
