#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SeaBIOS, a TPM, a Debian kernel, our zone: the short form.  This firmware
# measures itself and what is plugged in, and neither kernel nor initial RAM
# disk; a card with an option ROM of somebody else changes PCR 2.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
boot_begin
trap finish_machine EXIT
k=$(kernel linux-image-cloud-amd64) ||
    skip_all "the Debian kernel could not be had"
boot_zones 0,1,2,3,4,5,6,7,8,9,10,14
root_make "$k"
initrd_make initrd

start() { # NAME OPTION...
    machine_start "$@" -kernel "$k"/boot/vmlinuz-* -initrd initrd \
        -append "console=ttyS0 quiet panic=-1 random.trust_cpu=on"
}
# An option ROM of one block that does nothing: RETF behind the header.
{
    printf '\x55\xaa\x01\xcb'
    head -c 507 /dev/zero
    printf '\x35'
} >evil.rom

ok "boots" start first
machine_ready
has_log() {
    qair attest show first | grep -E 'part +firmware event log, [0-9]{3,} bytes'
}
ok "its evidence has the firmware's log" has_log
ok "with which the quote agrees" claims first firmware.log yes
ok "each PCR is what the kernel reads" claims_pcrs first
aggregate() { # the kernel's first line is about this boot
    claims first ima.lines 1 && claims first ima.aggregate yes
}
ok "the kernel's list begins with this boot" aggregate
corpus seabios first false firmware.log=yes firmware.log.absent=no \
    ima.lines=1 ima.aggregate=yes
emulated() {
    qair attest verify first --pack owner/pack | grep 'state.*(emulated)'
}
ok "and the machine is called emulated" emulated
recipe() { # PCR: its prediction, after one event
    local event=1111111111111111111111111111111111111111111111111111111111111111
    printf 'qair:recipe/v1\nextend %s sha256 %s an event\n' "$1" $event
    printf 'value %s sha256 %s\nend\n' "$1" \
        "$(printf '%064d%s' 0 $event | python3 -c "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))" | sha256sum | cut -d' ' -f1)"
}
recipe 12 >not-quoted
recipe 14 >own
recipe 4 | sed 's/^value 4 sha256 ./&f/; s/\(^value.*\)./\1/' >wrong
refuses "no approval ahead of what is not quoted" "does not quote PCR 12" \
    approve first --recipe not-quoted
refuses "nor of the zone's own PCR" "zone's own" \
    approve first --recipe own
refuses "nor by a recipe whose value is wrong" "recipe" \
    approve first --recipe wrong
ok "stops" machine_stop

ok "boots with a card of somebody else" start card -option-rom evil.rom
machine_is_refused "PCR 2 of sha256"
ok "stops" machine_stop

ok "boots without it" start again
machine_is_accepted
ok "its log verifies" guest 'qair -z /zone log verify'
ok "stops" machine_stop
ok "and so does the thin zone's" qair -z thin log verify
end
