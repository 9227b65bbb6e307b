#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A rule asks: dom0's policy daemon calls policy.Ask in the caller's GuiVM by
# qrexec-client, a person answers, and the call goes where the person said.
# qubes_ask.sh BUILD-ROOT QUBESD-STUB QUBES-RAW
set -u
. "$(dirname "$0")/qubes_host.sh"
host_begin "$@"

host_qube work 1 '{"guivm": "gui"}'
host_qube vault 2
host_qube other 3
host_qube gui 4
host_qube relay 5 '{"guivm": "gui"}'
host_qube far 6 '{"type": "RemoteVM", "relayvm": "relay",
    "transport_rpc": "t.Rpc"}'
host_rules << 'RULES'
t.Who   * work  @default ask default_target=vault
t.Who   * work  @anyvm   ask
t.Who   * far   @anyvm   ask
t.Never * work  vault    allow
t.Rpc   * @anyvm @anyvm  deny
RULES
for q in vault other; do
    service $q t.Who << SH
#!/bin/sh
echo "$q for \$QREXEC_REMOTE_DOMAIN"
SH
done
service relay t.Rpc << 'SH'
#!/bin/sh
echo "relay told: $1"
SH
service gui policy.Ask << SH
#!/bin/sh
[ "\$QREXEC_REMOTE_DOMAIN" = dom0 ] || exit 1
cat > $dir/asked.new
mv $dir/asked.new $dir/asked
printf %s "\$(cat $dir/choice)"
SH
service gui policy.Notify << SH
#!/bin/sh
cat > $dir/noticed.new
mv $dir/noticed.new $dir/noticed
SH
cat > bin/client << SH
#!/bin/sh
VCHAN_DOMAIN=0 exec $bin/qrexec-client --socket-dir=$dir/run \
    --qubesd-socket=$dir/qubesd.sock "\$@"
SH
chmod 755 bin/client
qrexec_client=$bin/client
host_start
qube_up work vault other gui relay

choose() { printf %s "$1" > choice; rm -f asked noticed; }
asked() { jq -e "$1" asked > /dev/null; }
noticed() { jq -e "$1" noticed > /dev/null; }

choose allow:vault
from work @default t.Who+x
is 'the person takes the default' 0 'vault for work'
ok 'what was asked' asked '.source == "work" and .service == "t.Who" and
    .argument == "+x" and .default_target == "vault" and
    (.targets | sort) == ["far", "gui", "other", "relay", "vault"]'
choose allow:other
from work vault t.Who
is 'the person sends the call elsewhere' 0 'other for work'
choose allow:far
from work vault t.Who
is 'to a RemoteVM: its relay is told the chosen name' 0 'relay told: far+t.Who+'
choose deny
from work vault t.Who
is 'the person denies' 126 ''
ok 'the record says who and by which rule' wait_for grep -q \
    't.Who+: work -> vault: denied: 30-test.policy:2 asks: denied by the person' log
choose allow:work
from work vault t.Who
is 'a GuiVM that answers what was not offered' 126 ''
choose allow:vault
from relay --source-qube=far vault t.Who
is 'a call from a RemoteVM is asked about in its relay'"'"'s GuiVM' 0 'vault for far'
ok 'in its own name' asked '.source == "far"'
choose allow:vault
from work vault t.None
is 'a call without a rule' 126 ''
ok 'is shown to the person' wait_for noticed '.resolution == "deny" and
    .service == "t.None" and .target == "vault"'
stop agent-gui
choose allow:vault
from work vault t.Who
is 'a GuiVM that is away: nobody can be asked' 126 ''
from work vault t.Never
is 'and other rules go on (there is no such service)' 127 ''
host_done
