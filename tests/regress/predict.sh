#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qair attest predict: values from files, held against other programs where
# the machine has them.  TAP; arguments: qair, predict.py.
set -u
qair=$(realpath "$1")
py=$(realpath "$2")
unset QAIR_ZONE
work=$(mktemp -d "${TMPDIR:-/tmp}/qair-predict.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

n=0 bad=0
# is TEXT WANTED GOT
is() {
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        bad=1
        echo "not ok $n - $1"
        printf '# wanted: %s\n# got:    %s\n' "$2" "$3" | head -n 40
    fi
}
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
predict() {
    "$qair" attest predict "$@"
}
# value PCR BANK OPTION...
value() {
    local pcr=$1 bank=$2
    shift 2
    predict --bank "$bank" --json "$@" |
        jq -r ".pcrs[] | select(.pcr == $pcr and .bank == \"$bank\").value"
}
# says OPTION...: the message and the exit code
says() {
    predict "$@" >out 2>&1
    local rc=$?
    echo "$(head -n 1 out) rc=$rc"
}
sha() {
    sha256sum "$@" | cut -d' ' -f1
}

printf '#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####' >stub
printf 'ID=qair\n' >osrel
printf 'console=ttyS0 quiet' >cmdline
printf 'an initrd of odd length' >initrd
"$py" kernel kernel '6.1.0-test (x) #1 SMP'
"$py" image uki.efi .sdmagic=stub .osrel=osrel .cmdline=cmdline \
    .linux=kernel .initrd=initrd
action=$(printf 'Calling EFI Application from Boot Option' | sha)
separator=$(head -c 4 /dev/zero | sha)
uki=$("$py" authenticode uki.efi)
kernel=$("$py" authenticode kernel)

is "PCR 4 under Secure Boot is the image" \
    "$("$py" extend "$action" "$separator" "$uki")" \
    "$(value 4 sha256 --uki uki.efi --secure-boot on)"
is "PCR 4 without it is image and kernel" \
    "$("$py" extend "$action" "$separator" "$uki" "$kernel")" \
    "$(value 4 sha256 --uki uki.efi --secure-boot off)"
options=$( (sed 's/./&\x00/g' cmdline && printf '\0\0') | sha)
is "PCR 9 is the command line in UTF-16 and the initrd" \
    "$("$py" extend "$options" "$(sha initrd)")" \
    "$(value 9 sha256 --uki uki.efi --secure-boot on)"
is "a kernel that firmware starts has the same PCR 9" \
    "$("$py" extend "$options" "$(sha initrd)")" \
    "$(value 9 sha256 --kernel kernel --initrd initrd \
        --cmdline "$(cat cmdline)")"
is "a chain of loaders is measured one by one" \
    "$("$py" extend "$action" "$separator" "$kernel" "$uki")" \
    "$(value 4 sha256 --boot kernel --boot uki.efi)"

measure=/lib/systemd/systemd-measure
phases=enter-initrd:leave-initrd:sysinit:ready
if [ -x "$measure" ]; then
    for bank in sha1 sha256 sha384 sha512; do
        for phase in enter-initrd enter-initrd:leave-initrd $phases; do
            is "PCR 11 in $bank at $phase is that of systemd-measure" \
                "$("$measure" calculate --linux=kernel --osrel=osrel \
                    --cmdline=cmdline --initrd=initrd --bank=$bank \
                    --phase=$phase 2>/dev/null | cut -d= -f2)" \
                "$(value 11 $bank --uki uki.efi --secure-boot on \
                    --phases $phase)"
        done
    done
else
    skip "PCR 11 is that of systemd-measure" "no systemd here"
fi

if command -v osslsigncode >/dev/null && command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert \
        -subj /CN=db -days 2 2>/dev/null
    osslsigncode sign -h sha256 -certs cert -key key -in uki.efi \
        -out signed.efi >/dev/null 2>&1
    is "a signature does not change PCR 4" \
        "$(value 4 sha256 --uki uki.efi --secure-boot on)" \
        "$(value 4 sha256 --uki signed.efi --secure-boot on)"
    is "the digest is the one that is signed" \
        "$(osslsigncode verify -in signed.efi 2>&1 |
            sed -n 's/^Calculated message digest *: *//p' | head -n 1 |
            tr -d ' ' | tr A-F a-f)" \
        "$(predict --boot signed.efi --json |
            jq -r '.pcrs[0].steps[2].digest')"
    # PCR 7: what firmware says of its keys, and whose word it takes.
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key2 -out cert2 \
        -subj /CN=db -days 2 2>/dev/null
    for c in cert cert2; do
        openssl x509 -in $c -outform DER -out $c.der
    done
    "$py" db db cert2.der cert.der
    "$py" db other cert2.der
    : >none
    printf '\1' >one
    { head -c 16 /dev/zero; cat cert.der; } >entry
    is "PCR 7 ends with the entry of db that allows the image" \
        "$("$py" extend "$("$py" variable SecureBoot one)" \
            "$("$py" variable PK none)" "$("$py" variable KEK none)" \
            "$("$py" variable db db)" "$("$py" variable dbx none)" \
            "$separator" "$("$py" variable db entry)")" \
        "$(value 7 sha256 --uki signed.efi --secure-boot on --db db)"
    denied="neither a signature nor the digest is allowed by db: under Secure\
 Boot firmware does not start it rc=1"
    is "another key of the same name allows nothing" \
        "qair: signed.efi: $denied" \
        "$(says --uki signed.efi --secure-boot on --db other)"
    is "an image without a signature would not start" \
        "qair: uki.efi: $denied" "$(says --uki uki.efi --secure-boot on --db db)"
    is "dbx forbids by the signer" \
        "qair: signed.efi: dbx forbids it by its signer rc=1" \
        "$(says --uki signed.efi --secure-boot on --db db --dbx db)"
else
    skip "the digest is the one that is signed" "no osslsigncode here"
fi

is "PCR 5 without a partition table" \
    "$("$py" extend "$separator" \
        "$(printf 'Exit Boot Services Invocation' | sha)" \
        "$(printf 'Exit Boot Services Returned with Success' | sha)")" \
    "$(value 5 sha256 --disk none)"
is "PCRs with a separator alone" "$("$py" extend "$separator")" \
    "$(value 6 sha256 --separator 2,3,6)"
is "boot_aggregate, when all is known that it needs" 64 \
    "$(predict --uki uki.efi --secure-boot on --separator 0,1,2,3,6,7 \
        --disk none --json | jq -r '.boot_aggregate.sha256 | length')"

cat >grub.cfg <<'END'
set timeout=0
search --set=root --file /xen
multiboot2 /xen console=com1 com1=115200,8n1
module2 /vmlinuz console=hvc0 "quiet"
boot
END
cmd() {
    printf '%s' "$1" | sha
}
is "PCR 8 has each command, and what loaders pass on" \
    "$("$py" extend "$(cmd 'set timeout=0')" \
        "$(cmd 'search --set=root --file /xen')" \
        "$(cmd 'multiboot2 /xen console=com1 com1=115200,8n1')" \
        "$(cmd 'console=com1 com1=115200,8n1')" \
        "$(cmd 'module2 /vmlinuz console=hvc0 quiet')" \
        "$(cmd 'console=hvc0 quiet')" "$(cmd boot)")" \
    "$(value 8 sha256 --grub grub.cfg --grub-embedded --file /xen=stub \
        --file /vmlinuz=kernel)"
is "PCR 9 has each file as it is opened" \
    "$("$py" extend "$(sha grub.cfg)" "$(sha stub)" "$(sha stub)" \
        "$(sha kernel)")" \
    "$(value 9 sha256 --grub grub.cfg --file /xen=stub \
        --file /vmlinuz=kernel)"

# The recipe is what was shown.
predict --uki uki.efi --secure-boot on --bank sha256 --bank sha384 \
    --recipe recipe --json >shown
is "the recipe has the values that are shown" \
    "$(jq -r '.pcrs[] | "value \(.pcr) \(.bank) \(.value)"' shown | sort)" \
    "$(grep '^value ' recipe | sort)"
is "the recipe has its end" end "$(tail -n 1 recipe)"

# Policies that systemd signed.
if [ -x "$measure" ] && command -v swtpm >/dev/null; then
    openssl genrsa -out pcr.key 2048 2>/dev/null
    openssl rsa -in pcr.key -pubout -out pcr.pem 2>/dev/null
    mkdir tpm
    swtpm socket --tpm2 --tpmstate dir="$work/tpm" --flags startup-clear \
        --ctrl type=unixio,path="$work/sock.ctrl" \
        --server type=unixio,path="$work/sock" --daemon \
        --pid file="$work/pid" 2>/dev/null
    TPM2TOOLS_TCTI='' "$measure" sign --linux=kernel --osrel=osrel \
        --cmdline=cmdline --initrd=initrd --bank=sha256 --private-key=pcr.key \
        --public-key=pcr.pem --tpm2-device="swtpm:path=$work/sock" \
        >pcrsig 2>measure.err
    kill "$(cat pid 2>/dev/null)" 2>/dev/null
fi
if [ -s pcrsig ]; then
    is "policies that systemd signed are of these files" "rc=0" \
        "$(predict --uki uki.efi --secure-boot on --pcrsig pcrsig \
            --pcrsig-key pcr.pem >/dev/null; echo "rc=$?")"
    printf 'console=ttyS0 debug' >cmdline
    "$py" image other.efi .sdmagic=stub .osrel=osrel .cmdline=cmdline \
        .linux=kernel .initrd=initrd
    is "and not of others" "rc=1" \
        "$(predict --uki other.efi --secure-boot on --pcrsig pcrsig \
            --pcrsig-key pcr.pem 2>/dev/null >/dev/null; echo "rc=$?")"
else
    skip "policies that systemd signed are of these files" \
        "systemd-measure could not sign here"
fi

# Refusals.
is "nothing to predict" "qair attest predict: which files does the machine\
 boot? rc=2" "$(says --json)"
is "Secure Boot is not guessed" "qair attest predict: --secure-boot on, off or\
 absent: what is measured depends on it rc=2" "$(says --uki uki.efi)"
is "the PEI volume is not guessed" "qair attest predict: --firmware needs\
 --pei-digest: the PEI volume changes itself before it is measured rc=2" \
    "$(says --firmware x)"
is "a PCR that is more than a separator" \
    "qair: --separator: PCR 5 has more than that rc=2" \
    "$(says --disk none --separator 5)"
is "a missing file" "qair: nowhere: no such file rc=1" \
    "$(says --boot nowhere)"
is "what does not follow is not shown" \
    "qair: PCR 7 does not follow from these files rc=1" \
    "$(says --boot uki.efi --pcrs 4,7)"
printf 'true\n\nlinux /other\nboot\n' >bad.cfg
is "a file that GRUB opens and nobody gave" "qair: bad.cfg line 3: opens\
 '/other', which was not given rc=1" "$(says --grub bad.cfg)"
truncate -s -1 uki.efi
is "an image that was cut off" rc=1 \
    "$(predict --uki uki.efi --secure-boot on >/dev/null 2>&1; echo "rc=$?")"

echo "1..$n"
exit $bad
