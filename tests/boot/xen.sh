#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# OVMF, GRUB, Xen, and our zone in its dom0: the machine can quote, and has no
# event log, since nobody hands the firmware's over to dom0.  So the owner
# computes the values from the deployed files, and the appraisal says so.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
boot_begin ovmf grub-efi-amd64-bin grub-common mtools dosfstools
trap finish_machine EXIT
k=$(kernel linux-image-amd64) || skip_all "the Debian kernel could not be had"
x=$(unpack xen-hypervisor-4.17-amd64) || skip_all "Xen could not be had"
boot_zones 0,2,3,4,5,6,7,8,9,14
boot_modules="xenfs $boot_modules"
root_make "$k"
initrd_make initrd
cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
gunzip -c "$x"/boot/xen-4.17-amd64.gz >xen
cp "$k"/boot/vmlinuz-* vmlinuz
machine_memory=1536 machine_cpu=qemu64,+svm,+npt,+rdrand

# grub NAME XEN-OPTIONS: NAME.cfg and the loader NAME.efi with it inside.
grub() {
    cat >"$1.cfg" <<EOF
set timeout=0
search --set=root --file /xen
multiboot2 /xen console=com1 com1=115200,8n1 loglvl=warning dom0_mem=768M,max:768M $2
module2 /vmlinuz console=hvc0 quiet panic=-1 random.trust_cpu=on
module2 /initrd
boot
EOF
    grub-mkstandalone -O x86_64-efi -o "$1.efi" \
        --install-modules="part_gpt part_msdos fat search search_fs_file multiboot2 tpm normal configfile boot" \
        --modules="part_gpt fat tpm multiboot2 search_fs_file" \
        --locales="" --fonts="" --themes="" \
        "boot/grub/grub.cfg=$1.cfg" >>setup.log 2>&1
}
start() { # NAME LOADER
    esp_make "$2" xen vmlinuz initrd
    machine_start "$1" $ovmf $esp
}
predict() { # LOADER: PCR 4, 8 and 9 from the files
    qair attest predict --secure-boot off --boot "$1.efi" --grub "$1.cfg" --grub-embedded \
        --file /xen=xen --file /vmlinuz=vmlinuz --file /initrd=initrd \
        --pcrs 4,8,9 --recipe "$1.recipe"
}
ok "GRUB can be made" grub first "guest_loglvl=warning"
ok "and made with another option of Xen's" grub evil "guest_loglvl=none"

ok "boots" start first first.efi
ok "enrols by claim, challenge and answer" machine_enrol
ok "gives evidence" machine_evidence first
ok "with no event log of its firmware" \
    eval "! qair attest show first | grep 'event log'"
ok "the owner computes PCR 4, 8 and 9 from the deployed files" predict first
ok "and approves them" approve first --recipe first.recipe
ok "which are what the machine quotes" \
    qair attest verify first --pack owner/pack
ok "takes the pack" machine_pack
ok "makes a key in that state" machine_key release tpm sshsig
ok "takes the pack with the key" machine_pack
echo artefact >artefact
ok "signs for the thin zone" wait_until 60 sign work release artefact r.json
ok "and a stranger verifies the receipt" \
    qair verify r.json artefact --pack owner/pack
ok "each PCR is what the kernel reads" claims_pcrs first
ok "it claims that there is no log" claims first firmware.log.absent yes
ok "and nothing else of the firmware but values" eval \
    "! qair attest explain first --pack owner/pack --json |
        jq -e '.claims[] | select(.attested and
            (.name | test(\"^(firmware|secureboot|uki|kernel|bootloader)\")) and
            (.name | test(\"^firmware[.](pcr[.]|log[.]absent)\") | not))'"
corpus xen-dom0 first true firmware.log.absent=yes
ok "the appraisal says that there is no event log" \
    eval "qair attest verify first --pack owner/pack |
        grep 'no event log: PCR 4,8,9 judged against values computed'"
ok "stops" machine_stop

ok "boots with another command line of Xen" start evil evil.efi
machine_is_refused "PCR 4 of sha256"
refuses "PCR 8 shows it too" "PCR 8 of sha256" \
    qair attest verify other --pack owner/pack
ok "stops" machine_stop
end
