#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the owner takes back opens nothing any more, and the rest goes on.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
zones_setup
echo artefact >artefact
revoke() {
    qair pack revoke "$@" --owner-key owner/owner.key --pack owner/pack
}

ok "signs with the key" sign work release artefact r.json
refuses "a key that is not there" "no key other" revoke key other
refuses "something that is no kind" "'zone' or 'key'" revoke state server
ok "the owner revokes the key" revoke key release
refuses "once is enough" "revoked already" revoke key release
refuses "its receipts are not believed" "revoked" \
    qair verify r.json artefact --pack owner/pack
zones_install_pack
refuses "it signs no more" "revoked" sign work release artefact x.json
ok "the other key does" sign work release-ed25519 artefact r2.json
ok "and its receipt verifies" qair verify r2.json artefact --pack owner/pack

ok "the owner revokes the thin zone" revoke zone thin
run "cp -r owner/pack/. server/pack/ && qair -z server zone reload"
refuses "the server takes no call from it" "refused by" \
    sign work release-ed25519 artefact x.json
run "cp -r owner/pack/. thin/pack/ && qair -z thin zone reload"
closed() { qair -z thin zone status | grep -q . && ! sign work release-ed25519 artefact x; }
ok "nor does it make one with the new pack" closed
ok "the server's log verifies" qair -z server log verify
end
