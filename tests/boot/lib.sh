# SPDX-License-Identifier: Apache-2.0
# Sourced by the boot tests: a machine in QEMU with a TPM of its own, a Debian
# kernel and zone `server` inside; zone `thin` and the owner here.  At most one
# machine at a time; everything waits for words and never for a time to pass.
#
# QEMU translates (TCG) and the TPM is swtpm with a certificate of a test CA:
# whatever is proved here is proved of an emulated machine, and says so.

. "$(dirname "${BASH_SOURCE[0]}")/../zones/lib.sh"

boot_dir=$top/tests/boot
# Unpacked kernels, a folder a version; nothing in it is older than its name.
boot_cache=${QAIR_BOOT_CACHE:-/var/tmp/qair-boot-$(id -u)}
boot_wait=${QAIR_BOOT_WAIT:-600} # seconds until a machine that is slow hangs
boot_packages="qemu-system-x86 swtpm swtpm-tools busybox-static binutils cpio
    lz4 xz-utils socat"

# ---- what is needed ------------------------------------------------------

# boot_begin PACKAGE...: the private folder, or a skip with the reason.
boot_begin() {
    ! nm "$build/qaird" 2>/dev/null | grep -q __asan_init ||
        skip_all "a machine of this size has no room for sanitizers"
    (need_packages $boot_packages "$@") 2>"${TMPDIR:-/tmp}/qair-boot.$$" || {
        local why
        why=$(tail -n 1 "${TMPDIR:-/tmp}/qair-boot.$$")
        rm -f "${TMPDIR:-/tmp}/qair-boot.$$"
        skip_all "$why"
    }
    rm -f "${TMPDIR:-/tmp}/qair-boot.$$"
    mkdir -p "$boot_cache"
    exec 8>"$boot_cache/lock" # one machine at a time
    flock 8
    begin
}

finish_machine() {
    local rc=$? p
    for p in ${qemu_pid:-} ${swtpm_pid:-}; do
        kill -9 "$p" 2>/dev/null
        wait "$p" 2>/dev/null
    done
    (exit "$rc")
    finish
}

# unpack PACKAGE: its files, without installing it; prints the folder.
unpack() {
    local version d
    version=$(apt-cache policy "$1" | sed -n 's/^ *Candidate: //p')
    [ -n "$version" ] && [ "$version" != "(none)" ] || return 1
    d=$boot_cache/$1_$(printf %s "$version" | tr -c 'A-Za-z0-9.+~\n-' _)
    if [ ! -e "$d" ]; then
        mkdir -p "$boot_cache"
        local t
        t=$(mktemp -d "$boot_cache/new.XXXXXX")
        (cd "$t" && apt-get download "$1" >/dev/null 2>&1) &&
            dpkg-deb -x "$t"/*.deb "$t/d" && rm -f "$t"/*.deb || {
            rm -rf "$t"
            return 1
        }
        mv -T "$t/d" "$d" 2>/dev/null || true # somebody else was faster
        rm -rf "$t"
    fi
    printf '%s\n' "$d"
}

# kernel META: the package that it stands for, unpacked.
kernel() {
    local p
    p=$(apt-cache depends "$1" | awk '/Depends: linux-image/{print $2; exit}')
    [ -n "$p" ] && unpack "$p"
}

# modules FOLDER NAME...: files in the order of loading, what each needs first.
modules() {
    local dir=$1 seen=" "
    shift
    module() {
        local f dep
        case $seen in *" $1 "*) return ;; esac
        seen="$seen$1 "
        f=$(find "$dir" -name "$(printf %s "$1" | sed 's/[-_]/[-_]/g').ko")
        [ -n "$f" ] || return 0 # built in
        for dep in $(objcopy -O binary --only-section=.modinfo "$f" /dev/stdout |
            tr '\0' '\n' | sed -n 's/^depends=//p' | tr ',' ' '); do
            module "$dep"
        done
        printf '%s\n' "$f"
    }
    for m in "$@"; do module "$m"; done
}

# ---- the initial RAM disk ------------------------------------------------

boot_modules="virtio_pci virtio_blk virtio_net"

# root_make KERNEL-FOLDER: $work/root, busybox and this build's programs.
root_make() {
    local r=$work/root f so
    mkdir -p "$r"/usr/{bin,lib64,lib/qair,lib/x86_64-linux-gnu,lib/modules} \
        "$r"/{dev,proc,sys,tmp,run,etc,root,new,zone,var,mnt}
    for f in bin lib lib64; do ln -s "usr/$f" "$r/$f"; done
    ln -s usr/bin "$r/sbin"
    cp /bin/busybox "$r/usr/bin/busybox"
    for f in $(busybox --list); do
        [ -e "$r/usr/bin/$f" ] || ln -s busybox "$r/usr/bin/$f"
    done
    for f in qair qaird qrexec-client-vm qair-agent qair-attestd qair-calld \
        qair-keyd qair-logd qair-measure qair-netd qair-policyd qair-sign; do
        strip -o "$r/usr/lib/qair/$f" "$build/$f"
    done
    cp /usr/bin/bwrap "$r/usr/bin/"
    for so in $(ldd "$build"/qair "$build"/qaird "$build"/qair-* /usr/bin/bwrap \
        2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
        case $so in
        /lib64/*) cp -L "$so" "$r/usr/lib64/" ;;
        *) cp -L "$so" "$r/usr/lib/x86_64-linux-gnu/" ;;
        esac
    done
    printf 'root:x:0:0::/root:/bin/sh\n' >"$r/etc/passwd"
    printf 'root:x:0:\n' >"$r/etc/group"
    : >"$r/etc/modules"
    for f in $(modules "$1/lib/modules" $boot_modules); do
        cp "$f" "$r/usr/lib/modules/"
        printf '/lib/modules/%s\n' "${f##*/}" >>"$r/etc/modules"
    done
    cp "$boot_dir/init" "$r/init"
    chmod 755 "$r/init"
}

# initrd_make OUT: the same bytes for the same files.
initrd_make() {
    find "$work/root" -exec touch -h -d @1 {} +
    (cd "$work/root" && find . -print0 | LC_ALL=C sort -z |
        cpio --null -o -H newc --reproducible -R 0:0 2>/dev/null) |
        lz4 -l -9 -c >"$1"
}

# ---- the machine ---------------------------------------------------------

# A TPM that outlives each start, with a certificate of the test CA in ca/.
tpm_make() {
    run "qair -z maker zone init --name server --owner owner/pack/owner.pub --ca ca"
    mv maker/tpm machine-tpm
}

# machine_start NAME QEMU-OPTION...: boots; $NAME.console has what it says.
machine_start() {
    machine_run "$@" && machine_says "@@ ready"
}

# The same, and does not wait.
machine_run() {
    local name=$1
    shift
    console=$work/$name.console
    rm -f "$work/tpm.ctl"
    8>&- swtpm socket --tpm2 --tpmstate dir="$work/machine-tpm" \
        --ctrl type=unixio,path="$work/tpm.ctl" --flags not-need-init \
        --terminate >"$work/swtpm.log" 2>&1 &
    swtpm_pid=$!
    wait_until 30 test -S "$work/tpm.ctl" || return 1
    8>&- qemu-system-x86_64 -accel tcg -M "q35${machine_smm:-}" -m "${machine_memory:-512}" \
        -cpu "${machine_cpu:-qemu64,+rdrand}" \
        -nodefaults -no-user-config -display none -no-reboot \
        -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny \
        -chardev socket,id=tpm,path="$work/tpm.ctl" \
        -tpmdev emulator,id=tpm0,chardev=tpm -device "tpm-tis,tpmdev=tpm0" \
        -drive file="$work/state.img",format=raw,if=none,id=state \
        -device virtio-blk-pci,drive=state,serial=state,addr=4 \
        -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$zone_port-:7000,hostfwd=tcp:127.0.0.1:$shell_port-:7001" \
        -device virtio-net-pci,netdev=net,romfile=,addr=6 \
        -serial "file:$console" "$@" >"$work/qemu.log" 2>&1 </dev/null &
    qemu_pid=$!
}

# machine_says TEXT: waits for it on the console; false when the machine ends.
machine_says() {
    local end=$(($(date +%s) + boot_wait))
    until grep -aqF -- "$1" "$console" 2>/dev/null; do
        kill -0 "$qemu_pid" 2>/dev/null && [ "$(date +%s)" -lt "$end" ] || {
            tail -n 20 "$console" "$work/qemu.log"
            return 1
        }
        sleep 0.1
    done
}

# Its files are written back to $work/server, and it is off.
machine_stop() {
    guest 'qair -z /zone zone stop; rm -rf /zone/run/*
        tar cf "$(cat /run/state)" -C /zone . && sync' &&
        { guest 'poweroff -f' || true; }
    wait_until 60 eval '! kill -0 "$qemu_pid" 2>/dev/null' || kill -9 "$qemu_pid"
    wait "$qemu_pid" "$swtpm_pid" 2>/dev/null
    qemu_pid="" swtpm_pid=""
    rm -rf server && mkdir server && tar xf state.img -C server
}

# The machine's disk from $work/server.
state_make() {
    rm -f state.img
    truncate -s 64M state.img
    tar cf - -C server . | dd of=state.img conv=notrunc status=none
}

# guest COMMANDS: in the machine; its output and exit code.
guest() {
    local out
    out=$(printf '( %s\n) 2>&1\necho "@@rc=$?"\n' "$1" |
        socat -t "$boot_wait" STDIO "TCP:127.0.0.1:$shell_port") || return 255
    printf '%s' "${out%@@rc=*}"
    [ "${out##*@@rc=}" = 0 ]
}

# FILE PATH, PATH FILE
guest_put() {
    guest "base64 -d >'$2' <<'EOF'
$(base64 "$1")
EOF"
}
guest_get() {
    guest "base64 '$1'" | base64 -d >"$2"
}

# ---- the zones -------------------------------------------------------------

# boot_zones PCRS: the owner, zone thin here, and $work/server for the machine.
boot_zones() {
    zone_port=$(zones_free_port) shell_port=$(zones_free_port)
    run "qair pack init owner"
    tpm_make
    run "qair -z server zone init --name server --owner owner/pack/owner.pub --tpm /dev/tpmrm0 --listen 0.0.0.0:7000"
    run "qair -z thin zone init --name thin --owner owner/pack/owner.pub --ca ca --uid-base 62400 --peer server=127.0.0.1:$zone_port"
    run "cp -r $top/examples/two-zones/server/. server/"
    run "cp -r $top/examples/two-zones/thin/. thin/"
    boot_pcrs=$1
    echo "pcrs = $1" >>server/zone.conf
    run "qair -z thin zone start 8>&-"
    run "zones_enrol thin"
    run "zones_approve thin"
    state_make
}

# As zones_enrol, by files that travel.
machine_enrol() {
    guest 'qair -z /zone zone start && qair -z /zone zone enrol -o /tmp/claim' &&
        guest_get /tmp/claim claim &&
        qair zone challenge claim --ca ca/ca.pem -o challenge &&
        guest_put challenge /tmp/challenge &&
        guest 'qair -z /zone zone answer /tmp/claim /tmp/challenge -o /tmp/answer' &&
        guest_get /tmp/answer answer &&
        qair pack add-zone claim answer --challenge challenge \
            --owner-key owner/owner.key --pack owner/pack
}

# machine_evidence FILE
machine_evidence() {
    guest 'qair -z /zone attest collect -o /tmp/evidence' &&
        guest_get /tmp/evidence "$1"
}

approve() { # EVIDENCE OPTION...
    qair attest reference "$@" --owner-key owner/owner.key --pack owner/pack
}

# The pack as it is now, to both zones.
machine_pack() {
    tar cf pack.tar -C owner/pack .
    guest_put pack.tar /tmp/pack.tar &&
        guest 'tar xf /tmp/pack.tar -C /zone/pack && qair -z /zone zone reload' &&
        cp -r owner/pack/. thin/pack/ && qair -z thin zone reload
}

machine_key() { # NAME CUSTODY PROFILE
    guest "qair -z /zone key create $1 --custody $2 --profile $3 >/tmp/key" &&
        guest_get /tmp/key "$1.key" &&
        qair pack add-key "$1.key" --owner-key owner/owner.key --pack owner/pack
}

# Enrolled and approved as it is, with a key, and signing.
machine_ready() {
    ok "enrols by claim, challenge and answer" machine_enrol
    ok "gives evidence" machine_evidence first
    refuses "which nobody approved yet" "no approved state" \
        qair attest verify first --pack owner/pack
    ok "is approved by its owner" approve first
    ok "takes the pack" machine_pack
    ok "makes a key in that state" machine_key release tpm sshsig
    ok "takes the pack with the key" machine_pack
    echo artefact >artefact
    ok "signs for the thin zone" wait_until 20 sign work release artefact r.json
    ok "and a stranger verifies the receipt" \
        qair verify r.json artefact --pack owner/pack
}

# In another state than approved: MACHINE'S WORDS.
machine_is_refused() {
    ok "starts its zone" guest 'qair -z /zone zone start'
    refuses "keeps its keys shut" "$1" guest 'cat /zone/run/qaird.log; false'
    ok "gives evidence" machine_evidence other
    refuses "which the appraisal refuses by name" "$1" \
        qair attest verify other --pack owner/pack
    refuses "signs nothing" "zone server" sign work release artefact x.json
    refuses "makes no key" "keys are closed" \
        guest 'qair -z /zone key create x --custody tpm --profile sshsig'
}

machine_is_accepted() {
    ok "starts its zone" guest 'qair -z /zone zone start'
    ok "signs" wait_until 20 sign work release artefact r.json
    ok "and a stranger verifies the receipt" \
        qair verify r.json artefact --pack owner/pack
}

# ---- what is kept --------------------------------------------------------

# claim EVIDENCE NAME: its attested values, a line each.
claim() {
    qair attest explain "$1" --pack owner/pack --json | jq -r --arg n "$2" \
        '.claims[] | select(.name == $n and .attested) | .value'
}
claims() { # EVIDENCE NAME VALUE: it has that claim, as was found otherwise.
    claim "$1" "$2" | grep -qxF -- "$3" || {
        echo "$2: $(claim "$1" "$2" | tr '\n' ' '), wanted $3"
        return 1
    }
}
sha256() { sha256sum "$1" | cut -d' ' -f1; }

# The kernel's own view of each quoted PCR, as "firmware.pcr.N" claims.
pcr_claims() {
    guest 'cd /sys/class/tpm/tpm0/pcr-sha256 && grep "" [0-9]*' |
        sort -t: -n -k1 | while IFS=: read -r n v; do
            case ,$boot_pcrs, in
            *,"$n",*) printf 'firmware.pcr.%s=%s\n' "$n" "${v,,}" ;;
            esac
        done
}
claims_pcrs() { # EVIDENCE: its values are those that the kernel reads.
    local line
    for line in $(pcr_claims); do
        claims "$1" "${line%%=*}" "${line#*=}" || return 1
    done
}

# corpus NAME EVIDENCE LOGLESS CLAIM=VALUE...: with QAIR_BOOT_CORPUS, a case of
# kind zone-evidence, with claims that were established without qair.
corpus() {
    [ -n "${QAIR_BOOT_CORPUS:-}" ] || return 0
    local d=$QAIR_BOOT_CORPUS/$1 e=$2 logless=$3
    shift 3
    mkdir -p "$d"
    cp "$e" "$d/evidence.bin"
    jq -rj .ak_public claim | base64 -d >"$d/ak.bin"
    { pcr_claims && printf '%s\n' "$@"; } | jq -Rn --arg id "${d##*/}" \
        --argjson logless "$logless" --arg binder \
        "$(printf qair-reference-1 | sha256sum | cut -d' ' -f1)" '
        {id: $id, kind: "zone-evidence", files: ["ak.bin", "evidence.bin"],
         expect: {verdict: "accept", binder: $binder, logless: $logless,
           claims: [inputs | split("=") | {(.[0]): (.[1:] | join("="))}] | add}}' \
        >"$d/expected.json"
}

# ---- UEFI ------------------------------------------------------------------

ovmf="-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
    -drive if=pflash,format=raw,file=vars.fd"
esp="-drive file=esp.img,format=raw,if=none,id=esp
    -device virtio-blk-pci,drive=esp,bootindex=0,addr=5"

# uki_make OUT CMDLINE: stub, kernel and initrd as one image, by hand, since
# Debian 12 has no ukify.  The time that objcopy writes is taken out: the same
# files make the same image.
uki_make() {
    local stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub linux end pe at size
    linux=$(echo "$k"/boot/vmlinuz-*)
    printf %s "$2" >uki.cmdline
    printf 'ID=qair-test\nVERSION_ID=1\n' >uki.osrel
    end=$(objdump -h "$stub" |
        awk '/^ +[0-9]+ [.]/{print "0x" $3, "0x" $4}' |
        while read -r size at; do echo $((size + at)); done | sort -n | tail -n 1)
    at=$(((end + 4095) / 4096 * 4096))
    size=$(stat -c %s "$linux")
    objcopy --add-section .osrel=uki.osrel --change-section-vma .osrel=$at \
        --add-section .cmdline=uki.cmdline \
        --change-section-vma .cmdline=$((at + 0x10000)) \
        --add-section .linux="$linux" \
        --change-section-vma .linux=$((at + 0x20000)) \
        --add-section .initrd=initrd --change-section-vma \
        .initrd=$(((at + 0x20000 + size + 0xfffff) / 0x100000 * 0x100000)) \
        "$stub" "$1"
    pe=$(od -An -tu4 -j60 -N4 "$1" | tr -d ' ')
    for at in 8 88; do
        printf '\0\0\0\0' | dd of="$1" bs=1 seek=$((pe + at)) conv=notrunc \
            status=none
    done
}

# esp_make EFI [FILE...]: a system partition that boots EFI.
esp_make() {
    rm -f esp.img
    truncate -s 96M esp.img
    mkfs.vfat -F 32 esp.img >/dev/null
    mmd -i esp.img ::/EFI ::/EFI/BOOT
    mcopy -i esp.img "$1" ::/EFI/BOOT/BOOTX64.EFI
    shift
    [ $# = 0 ] || mcopy -i esp.img "$@" ::/
}
