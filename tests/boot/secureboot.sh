#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OVMF with Secure Boot: the owner's own keys are enrolled from the machine in
# Setup Mode, an image that they signed boots and proves so, and one that a
# stranger signed does not start.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
boot_begin ovmf systemd-boot-efi mtools dosfstools efitools sbsigntool openssl
trap finish_machine EXIT
k=$(kernel linux-image-cloud-amd64) ||
    skip_all "the Debian kernel could not be had"
boot_zones 0,2,3,4,7,9,11,12,14
boot_modules="efivarfs $boot_modules"
root_make "$k"
initrd_make initrd
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
machine_smm=,smm=on
ovmf="-global driver=cfi.pflash01,property=secure,value=on
    ${ovmf//OVMF_CODE_4M.fd/OVMF_CODE_4M.secboot.fd}"

keys() { # PK, KEK, db and a stranger's, and the lists that firmware takes
    local n guid=c0ffee00-7169-6172-8000-000000000000
    for n in PK KEK db stranger; do
        openssl req -new -x509 -newkey rsa:2048 -sha256 -nodes -days 3650 \
            -subj "/CN=qair test $n/" -keyout $n.key -out $n.crt &&
            cert-to-efi-sig-list -g $guid $n.crt $n.esl || return 1
    done
    sign-efi-sig-list -g $guid -k PK.key -c PK.crt PK PK.esl PK.auth &&
        sign-efi-sig-list -g $guid -k PK.key -c PK.crt KEK KEK.esl KEK.auth &&
        sign-efi-sig-list -g $guid -k KEK.key -c KEK.crt db db.esl db.auth
}
ok "the owner makes keys" keys

# Attributes, then the signed list, in one write; PK last ends Setup Mode.
enrol() {
    local n
    for n in db KEK PK; do
        { printf '\047\0\0\0' && cat $n.auth; } >$n.var
        guest_put $n.var /tmp/$n || return 1
    done
    guest 'v=/sys/firmware/efi/efivars g=8be4df61-93ca-11d2-aa0d-00e098032b8c
        mount -t efivarfs efivarfs $v &&
        dd bs=64k if=/tmp/db of=$v/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f &&
        dd bs=64k if=/tmp/KEK of=$v/KEK-$g && dd bs=64k if=/tmp/PK of=$v/PK-$g &&
        [ "$(tail -c 1 $v/SetupMode-$g | od -An -tu1 | tr -d " ")" = 0 ]'
}
cmdline="console=ttyS0 quiet panic=-1 random.trust_cpu=on"
ok "boots in Setup Mode" machine_start setup $ovmf -kernel "$k"/boot/vmlinuz-* \
    -initrd initrd -append "$cmdline"
ok "takes the owner's keys" enrol
ok "stops" machine_stop

signed() { # OUT KEY
    uki_make plain.efi "$cmdline" &&
        sbsign --key "$2.key" --cert "$2.crt" --output "$1" plain.efi
}
ok "the owner signs an image" signed first.efi db
ok "a stranger signs the same" signed stranger.efi stranger

esp_make first.efi
ok "boots the owner's image" machine_start first $ovmf $esp
ok "enrols by claim, challenge and answer" machine_enrol
ok "gives evidence" machine_evidence first
predict() {
    : >dbx.esl
    qair attest predict --uki first.efi --secure-boot on --pk PK.esl \
        --kek KEK.esl --db db.esl --dbx dbx.esl --phases "" \
        --pcrs 4,7,9,11,12 --recipe first.recipe
}
ok "the owner computes PCR 4, 7, 9, 11 and 12 from image and keys" predict
ok "and approves them" approve first --recipe first.recipe
ok "which are what the machine quotes" \
    qair attest verify first --pack owner/pack
proves() {
    claims first firmware.log yes && claims first secureboot.enabled yes &&
        claims first secureboot.pk "$(sha256 PK.esl)" &&
        claims first secureboot.kek "$(sha256 KEK.esl)" &&
        claims first secureboot.db "$(sha256 db.esl)"
}
ok "Secure Boot was on, with these keys" proves
ok "each PCR is what the kernel reads" claims_pcrs first
corpus ovmf-secureboot first false firmware.log=yes secureboot.enabled=yes \
    secureboot.pk="$(sha256 PK.esl)" secureboot.kek="$(sha256 KEK.esl)" \
    secureboot.db="$(sha256 db.esl)"
ok "stops" machine_stop

# OVMF says so on its console and offers a menu, which nobody reads.
esp_make stranger.efi
refused() {
    machine_run stranger $ovmf $esp &&
        machine_says "Access Denied" && ! grep -aqF '@@' stranger.console
}
ok "does not start the stranger's image" refused
end
