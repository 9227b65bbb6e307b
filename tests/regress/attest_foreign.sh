#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qair attest verify on files that other tools wrote: quotes of tpm2-tools from
# a software TPM of this test, and vectors where they are.
# usage: attest_foreign.sh QAIR VECTORS
set -u
for tool in swtpm swtpm_setup tpm2_quote tpm2_createak tpm2_pcrread; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 77; }
done
PATH=$(realpath "$(dirname "$1")"):$PATH
vectors=$2/attestation
dir=$(mktemp -d)
cleanup() {
    [ ! -s "$dir/swtpm.pid" ] || kill "$(cat "$dir/swtpm.pid")" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 1

n=0 failed=0
report() { # RC NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then echo "ok $n - $2"; else
        echo "not ok $n - $2"
        sed 's/^/# /' log
        failed=1
    fi
}
ok() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >log 2>&1
    report $? "$name"
}
says() { # NAME TEXT
    grep -qF -- "$2" log
    report $? "$1"
}
refuses() { # NAME EXIT TEXT COMMAND...
    local name=$1 want=$2 text=$3 rc=0
    shift 3
    "$@" >log 2>&1 || rc=$?
    echo "(exit code $rc, wanted $want: $text)" >>log
    [ "$rc" = "$want" ] && head -n -1 log | grep -qF -- "$text"
    report $? "$name"
}
must() { # setting up
    "$@" >log 2>&1 || { echo "Bail out! $*"; sed 's/^/# /' log; exit 1; }
}

# ---- a TPM, two attestation keys and their quotes ------------------------

must mkdir tpm
must swtpm_setup --tpm2 --tpmstate "$dir/tpm" --pcr-banks sha1,sha256
rm -f log; must swtpm socket --tpm2 --tpmstate dir="$dir/tpm" --daemon \
    --server type=unixio,path="$dir/tpm.sock" \
    --ctrl type=unixio,path="$dir/tpm.sock.ctrl" --flags startup-clear \
    --pid file="$dir/swtpm.pid"
export TPM2TOOLS_TCTI=swtpm:path=$dir/tpm.sock
must tpm2_pcrextend 16:sha256=$(printf a | sha256sum | cut -c-64)
must tpm2_createek -G ecc -c ek.ctx -u ek.pub
for k in rsa:rsassa rsa:rsapss ecc:ecdsa; do
    name=${k#*:}
    must tpm2_createak -C ek.ctx -G "${k%:*}" -g sha256 -s "$name" \
        -c $name.ctx -u $name.pub -n $name.name
    must tpm2_flushcontext -t
    must tpm2_quote -c $name.ctx -l sha256:0,16 -q 0102030405060708 \
        $([ $name = rsapss ] && echo --scheme=rsapss) \
        -m $name.msg -s $name.sig -o $name.pcrs -F values
    must tpm2_flushcontext -t
done
must tpm2_quote -c ecdsa.ctx -l sha256:0,16 -q 0102030405060708 \
    -m ser.msg -s ser.sig -o ser.pcrs
tpm2_pcrread sha256:0,16 >pcrs.txt
must tpm2_pcrread sha1:0 -o x
tpm2_pcrread sha256:0 >zero.txt

v() { # NAME OPTION...: the quote of that key, well pinned
    local name=$1
    shift
    qair attest verify $name.msg --signature $name.sig --ak $name.pub \
        --pin "$(od -An -v -tx1 $name.name | tr -d ' \n')" "$@"
}
nonce="--nonce 0102030405060708"

for name in rsassa rsapss ecdsa; do
    ok "a quote of tpm2-tools, $name" v $name $nonce --pcrs $name.pcrs --require 0,16
    says "its values were compared" "genuine, and these are its PCRs"
done
ok "the same quote with values as tpm2_pcrread prints them" \
    v ecdsa $nonce --pcrs pcrs.txt
cp ecdsa.pub ser.pub && cp ecdsa.name ser.name
ok "the serialized form of the PCR file" v ser $nonce --pcrs ser.pcrs
ok "for programs" v ecdsa $nonce --json
says "in one object" '"accept":true'
ok "without a nonce it says so" v ecdsa
says "in a word" "at an unknown time"

refuses "another nonce" 1 "nonce" v ecdsa --nonce 0102030405060709
refuses "a nonce that is a part of it" 1 "nonce" v ecdsa --nonce 01020304
refuses "a PCR that was not quoted" 1 "required PCR" v ecdsa $nonce --require 0,7
refuses "values of another PCR" 1 "refused" v ecdsa $nonce --pcrs zero.txt
refuses "no pin and no pack" 1 "must be pinned" qair attest verify ecdsa.msg \
    --signature ecdsa.sig --ak ecdsa.pub $nonce
refuses "another key's quote" 1 "refused" qair attest verify rsassa.msg \
    --signature rsassa.sig --ak ecdsa.pub \
    --pin "$(od -An -v -tx1 ecdsa.name | tr -d ' \n')" $nonce
refuses "another key, whose pin it is not" 1 "pinned" qair attest verify \
    rsassa.msg --signature rsassa.sig --ak rsassa.pub \
    --pin "$(od -An -v -tx1 ecdsa.name | tr -d ' \n')" $nonce
cp ecdsa.msg flip.msg && cp ecdsa.sig flip.sig && cp ecdsa.pub flip.pub &&
    cp ecdsa.name flip.name
printf '\x01' | dd of=flip.msg bs=1 seek=60 conv=notrunc 2>/dev/null
refuses "an altered quote" 1 "refused" v flip $nonce
sed 's/0x/0xF/' pcrs.txt >bad.txt
refuses "values of the wrong length" 1 "line 2" v ecdsa $nonce --pcrs bad.txt
must tpm2_gettime -c ecdsa.ctx -q 0102030405060708 --attestation=time.msg -o time.sig \
    -g sha256 || true
if [ -s time.msg ]; then
    cp ecdsa.pub time.pub && cp ecdsa.name time.name
    refuses "an attested time is no quote" 1 "refused" v time $nonce
fi

# ---- misuse --------------------------------------------------------------

refuses "a quote alone" 2 "needs --signature" qair attest verify ecdsa.msg
refuses "a file of nothing known" 1 "no evidence of a zone" \
    qair attest verify pcrs.txt
cp ecdsa.name nowhere.name
: >empty
refuses "an empty file" 1 "no evidence of a zone" qair attest verify empty
refuses "a file that is not there" 1 "nowhere" v nowhere
refuses "two files" 2 "wants one file" qair attest verify ecdsa.msg ecdsa.msg

# ---- logs and reports ----------------------------------------------------

if [ -d "$vectors" ]; then
    b=$vectors/measured-boot/qemu-ovmf
    pin=$(qair attest verify $b/quote.msg --signature $b/quote.sig \
        --ak $b/ak.pub | sed -n 's/^ak  *//p')
    q="qair attest verify $b/quote.msg --signature $b/quote.sig --ak $b/ak.pub --pin $pin"
    ok "a booted machine: quote, event log, IMA list" \
        $q --log $b/eventlog.bin --ima $b/ima.bin
    says "how secure boot was" "secureboot off"
    says "how much of the list is quoted" "1 of 1 lines quoted"
    refuses "the log of another machine" 1 "refused" $q \
        --log $vectors/eventlog/rhel8-uefi/log.bin --ima $b/ima.bin
    refuses "a log of SHA-1 beside a quote of SHA-256" 1 "no bank that is quoted" \
        $q --log $vectors/eventlog/debian-10/log.bin
    refuses "an IMA list with a line altered" 1 "refused" $q \
        --log $b/eventlog.bin \
        --ima $vectors/measured-boot/neg-ima-line-altered/ima.ascii
    refuses "an event log by itself" 1 "a log proves nothing by itself" \
        qair attest verify $b/eventlog.bin
    qair attest verify $b/eventlog.bin |
        awk '$1 ~ /^sha256:/ {sub("sha256:", "", $1); if (!n++) print "sha256:"
            print "  " $1 " : 0x" $2}' >log.pcrs
    ok "an event log beside the values that it gives" \
        qair attest verify $b/eventlog.bin --pcrs log.pcrs
    sed '2s/0x./0x0/' log.pcrs | sed '2s/0x0/0xf/' >other.pcrs
    refuses "an event log beside other values" 1 "refused" \
        qair attest verify $b/eventlog.bin --pcrs other.pcrs
    l=$vectors/eventlog/rhel8-uefi/log.bin
    qair attest verify $l |
        awk '$1 ~ /^sha1:/ {sub("sha1:", "", $1); if (!n++) print "sha1:"
            print "  " $1 " : 0x" $2}' >sha1.pcrs
    refuses "an event log beside values of SHA-1 alone" 1 "proves nothing" \
        qair attest verify $l --pcrs sha1.pcrs
    refuses "an option of another kind" 2 "not for a file of this kind" \
        qair attest verify $b/eventlog.bin --nonce 00
    refuses "an IMA list by itself" 1 "a log proves nothing by itself" \
        qair attest verify $b/ima.ascii
    s=$vectors/snp
    mkdir certs && cp $s/milan-v3-a/vek.der $s/roots/*Milan* certs/
    ok "an SNP report with AMD's certificates" qair attest verify \
        $s/milan-v3-a/report.bin certs --time 2026-01-01T00:00:00Z
    refuses "the report when its certificate has ended" 1 "cert-time" \
        qair attest verify $s/milan-v3-a/report.bin certs \
        --time 2046-01-01T00:00:00Z
    refuses "a report under a test root" 1 "trusted AMD root" qair attest verify \
        $s/synth-good-v3/report.bin $s/synth-good-v3/vek.der \
        $s/synth-roots --time 2026-01-01T00:00:00Z
fi
echo "1..$n"
exit $failed
