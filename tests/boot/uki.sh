#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OVMF, a TPM, a unified kernel image with our zone in it: all that decides
# what runs is measured.  A changed kernel command line opens no key; one that
# the owner approved ahead, from the files alone, does.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
boot_begin ovmf systemd-boot-efi mtools dosfstools
trap finish_machine EXIT
k=$(kernel linux-image-cloud-amd64) ||
    skip_all "the Debian kernel could not be had"
# 1 has the boot entries, which firmware writes itself at the first start.
boot_zones 0,2,3,4,5,6,7,9,10,11,12,14
root_make "$k"
initrd_make initrd
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd

start() { # NAME UKI
    esp_make "$2"
    machine_start "$1" $ovmf $esp
}
predict() { # no phases: there is no systemd in this image
    qair attest predict --uki "$1.efi" --secure-boot off --phases "" \
        --pcrs 4,9,11,12 --recipe "$1.recipe"
}
common="console=ttyS0 quiet panic=-1 random.trust_cpu=on"
uki_make first.efi "$common"
uki_make evil.efi "$common systemd.debug-shell=1"
uki_make next.efi "$common loglevel=3"

ok "boots" start first first.efi
machine_ready
ok "its evidence has the firmware's log, with which the quote agrees" \
    claims first firmware.log yes
ok "each PCR is what the kernel reads" claims_pcrs first
measured() { # what was found in the image, computed here
    uki_make first.efi "$common" &&
        claims first uki.cmdline "$(sha256 uki.cmdline)" &&
        claims first uki.osrel "$(sha256 uki.osrel)" &&
        claims first uki.initrd "$(sha256 initrd)" &&
        claims first kernel.initrd "$(sha256 initrd)" &&
        claims first uki.linux "$(sha256 "$k"/boot/vmlinuz-*)" &&
        claims first secureboot.enabled no
}
ok "kernel, command line and initrd are those in the image" measured
corpus ovmf-uki first false firmware.log=yes uki.cmdline="$(sha256 uki.cmdline)" \
    uki.osrel="$(sha256 uki.osrel)" uki.initrd="$(sha256 initrd)" \
    kernel.initrd="$(sha256 initrd)" secureboot.enabled=no \
    uki.linux="$(sha256 "$k"/boot/vmlinuz-*)"
predicted() { # as the machine has them
    predict first && approve first --recipe first.recipe &&
        qair attest verify first --pack owner/pack
}
ok "PCR 4, 9, 11 and 12 are what follows from the image" predicted
ok "stops" machine_stop

ok "boots the same image again" start same first.efi
machine_is_accepted
ok "stops" machine_stop

ok "boots with another command line" start evil evil.efi
machine_is_refused "PCR 4 of sha256"
corpus ovmf-uki-other-cmdline other false firmware.log=yes \
    uki.cmdline="$(printf %s "$common systemd.debug-shell=1" | sha256sum |
        cut -d' ' -f1)"
for pcr in 9 11; do
    refuses "PCR $pcr shows it too" "PCR $pcr of sha256" \
        qair attest verify other --pack owner/pack
done
ok "stops" machine_stop

ok "the owner computes the next image's values from the file" predict next
ok "and approves them ahead" approve first --recipe next.recipe
cp -r owner/pack/. server/pack/ && cp -r owner/pack/. thin/pack/
ok "the thin zone hears of it" qair -z thin zone reload
state_make
ok "boots the next image" start next next.efi
machine_is_accepted
ok "its log verifies" guest 'qair -z /zone log verify'
ok "stops" machine_stop

ok "boots the first image, whose approval was replaced" start old first.efi
machine_is_refused "PCR 4 of sha256"
ok "stops" machine_stop
end
