# SPDX-License-Identifier: Apache-2.0
# Sourced by the demonstration, the tests and the benchmark: two zones, thin
# and server, in the current folder, enrolled with each other under one owner,
# with two release keys on the server.
#
# The caller defines `run 'COMMAND'` (print and run, or just run) and `tell`,
# has the programs in PATH, and calls zones_stop when it ends.

# A TCP port of the loopback that nobody listens on now.
zones_free_port() {
    local p
    for _ in $(seq 100); do
        p=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || {
            echo "$p"
            return
        }
    done
    die "no free port on 127.0.0.1"
}

zones_stop() {
    local z
    for z in */zone.conf; do
        [ ! -e "$z" ] ||
            qair -z "${z%/zone.conf}" zone stop >/dev/null 2>&1 || true
    done
}

zones_install_pack() {
    local z
    for z in server thin; do
        run "cp -r owner/pack/. $z/pack/ && qair -z $z zone reload"
    done
}

# zones_create PORT: $zones_host, and the commands $in_server and $in_thin to
# start each zone with, when they shall not be here.
zones_create() {
    local address=${zones_host:-127.0.0.1}:$1
    tell "The owner's key signs the pack: who belongs, and in which state. It stays with the owner."
    run "qair pack init owner"
    tell "Each zone gets a directory, a software TPM with an EK certificate of a test CA, and its configuration."
    run "qair -z server zone init --name server --owner owner/pack/owner.pub --ca ca --listen $address"
    run "qair -z thin zone init --name thin --owner owner/pack/owner.pub --ca ca --uid-base 62400 --peer server=$address"
    run "cp -r $top/examples/two-zones/server/. server/"
    run "cp -r $top/examples/two-zones/thin/. thin/"
    run "${in_server:-} qair -z server zone start"
    run "${in_thin:-} qair -z thin zone start"
}

# zones_enrol ZONE: claim, challenge, answer, pack entry.
zones_enrol() {
    run "qair -z $1 zone enrol -o $1.claim"
    run "qair zone challenge $1.claim --ca ca/ca.pem -o $1.challenge"
    run "qair -z $1 zone answer $1.claim $1.challenge -o $1.answer"
    run "qair pack add-zone $1.claim $1.answer --challenge $1.challenge --owner-key owner/owner.key --pack owner/pack"
}

# zones_approve ZONE: its present state becomes the reference.
zones_approve() {
    run "qair -z $1 attest collect -o $1.evidence"
    run "qair attest reference $1.evidence --owner-key owner/owner.key --pack owner/pack"
}

zones_keys() {
    local k
    run "qair -z server key create release --custody tpm --profile sshsig > release.key.json"
    run "qair -z server key create release-ed25519 --custody sealed --profile minisign > release-ed25519.key.json"
    for k in release release-ed25519; do
        run "qair pack add-key $k.key.json --owner-key owner/owner.key --pack owner/pack"
    done
    zones_install_pack
}

# All of it, for tests and benchmarks.
zones_setup() {
    zones_create "$(zones_free_port)"
    zones_enrol server
    zones_enrol thin
    zones_approve server
    zones_approve thin
    zones_install_pack
    zones_keys
}
