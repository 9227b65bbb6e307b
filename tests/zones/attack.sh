#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Attacks on running zones: the line and the TPM.  Those by a zone that was
# taken over are in tests/attack/netd_attacks.c, chain.sh and demo.sh.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
begin
command -v openssl >/dev/null || skip_all "no openssl"
zones_setup
echo artefact >artefact
ok "signs" sign work release artefact r.json
server=$(sed -n 's/^listen *= *//p' server/zone.conf)

# ---- the line --------------------------------------------------------------------

# A certificate in the name of a zone, by somebody's key.
run "openssl req -x509 -newkey ed25519 -nodes -keyout eve.key -out eve.pem -days 1 -subj /CN=thin -addext extendedKeyUsage=clientAuth,serverAuth"
# dial NAME OPTIONS...: what the server says to a client of OpenSSL's
dial() {
    timeout 20 openssl s_client -connect "$server" "$@" </dev/null 2>&1
}
in_log() { # ZONE WORDS
    qair -z "$1" log show >"$work/shown" && grep -qF -- "$2" "$work/shown"
}
refuses "TLS 1.2" "alert protocol version" dial -tls1_2 -alpn qair-att/1
ok "and the server's log says so" wait_until 5 in_log server "unsupported protocol"
refuses "another protocol by ALPN" "alert no application protocol" \
    dial -tls1_3 -alpn h2
refuses "two that are both another" "alert no application protocol" \
    dial -tls1_3 -alpn h2,http/1.1
ok "and the server's log says so" wait_until 5 in_log server \
    "no application protocol"
no_session() { # OPTIONS: no ticket, and no byte of HTTP/2 or of evidence
    ! dial "$@" | grep -aqE 'Post-Handshake New Session Ticket|QAIREVID|PRI \*'
}
ok "without a certificate nothing is shown" no_session -tls1_3 -alpn qair-att/1
ok "and the server's log says so" wait_until 5 in_log server \
    "peer did not return a certificate"
ok "nor to a certificate that somebody else signed" no_session -tls1_3 \
    -alpn qair-att/1 -cert eve.pem -key eve.key
ok "and the server's log says whose it is not" wait_until 5 in_log server \
    "is not from that zone's identity"
ok "the zones go on" sign work release artefact r.json

# ---- another TPM under a running zone --------------------------------------------

run "qair -z other zone init --name other --owner owner/pack/owner.pub --ca ca --uid-base 60400"
run "cp -r server/tpm kept.tpm"
swap() { # the state of another TPM, with a certificate as good
    local f
    for f in other/tpm/*; do
        cp "$f" "server/tpm/${f##*/}" || return 1
    done
    kill -9 "$(pid_of server swtpm)"
}
gone() { ! sign work release artefact x.json; }
ok "the TPM is exchanged while the server runs" swap
ok "no key opens, and no channel" wait_until 20 gone
said() { grep -qF -- "$1" server/run/qaird.log; }
ok "its daemons say what happened" said "keys stay shut"
ok "it is stopped" qair -z server zone stop
restart_refused() {
    ! { qair -z server zone start && sign work release artefact x.json; }
}
ok "started on the other TPM, it signs nothing" restart_refused
# Nor its log: whose key is in the TPM that is gone.
ok "and its daemons say why" said "made by another TPM?"
qair -z server zone stop >/dev/null 2>&1
run "rm -r server/tpm && cp -r kept.tpm server/tpm"
ok "on its own TPM it starts" qair -z server zone start
signs() { sign work release artefact r.json; }
ok "and signs" wait_until 30 signs

# ---- a receipt for another machine -----------------------------------------------

run "cp -r owner/pack swapped && cp owner/pack/zones/thin.json swapped/zones/server.json"
refuses "an entry of the pack under another name" "is about thin" \
    qair verify r.json artefact --pack swapped
ok "the server's log verifies" qair -z server log verify
end
