/* SPDX-License-Identifier: Apache-2.0 */
/* What files are that other tools leave, and where AMD keeps others. */
#include "snp_private.h"

#include <stdio.h>

static bool is_report(struct span bytes)
{
    struct snp_report r;

    return snp_report_parse(bytes, &r, NULL) == 0 && r.version >= 2 &&
           r.version <= 5 && r.sig_algo == 1;
}

static enum snp_file certificate_of(struct span der)
{
    struct snp_cert c;

    if (snp_cert_parse(der, &c, NULL) != 0)
        return SNP_FILE_UNKNOWN;
    return c.is_vek ? SNP_FILE_VEK : c.is_ca ? SNP_FILE_CA : SNP_FILE_UNKNOWN;
}

static enum snp_file pem_of(struct span bytes)
{
    uint8_t buf[SNP_CERT_MAX];
    struct span rest = bytes;
    size_t len;

    if (crypto_pem_next(&rest, "CERTIFICATE", buf, sizeof(buf), &len) == 0)
        return certificate_of(SPAN(buf, len));
    rest = bytes;
    /* A list that is longer is still a list. */
    return crypto_pem_next(&rest, "X509 CRL", buf, sizeof(buf), &len) !=
                           ERR_NOT_FOUND
                   ? SNP_FILE_CRL
                   : SNP_FILE_UNKNOWN;
}

enum snp_file snp_file_of(struct span bytes)
{
    struct snp_table table;
    struct snp_crl crl;

    if (bytes.len >= 4 && memcmp(bytes.ptr, "HCLA", 4) == 0)
        return SNP_FILE_HCL;
    if (is_report(bytes))
        return SNP_FILE_REPORT;
    if (bytes.len > 0 && bytes.ptr[0] == DER_SEQUENCE) {
        if (snp_crl_parse(bytes, &crl, NULL) == 0)
            return SNP_FILE_CRL;
        return certificate_of(bytes);
    }
    if (snp_table_parse(bytes, &table, NULL) == 0 &&
            table.ark.len + table.ask.len + table.vcek.len + table.vlek.len > 0)
        return SNP_FILE_TABLE;
    return pem_of(bytes);
}

int snp_kds_url(const struct snp_report *r, enum snp_product p,
        char ret[static SNP_KDS_URL_MAX], struct err *err)
{
    size_t id_len = p == SNP_TURIN ? SNP_CHIP_ID_TURIN : SNP_CHIP_ID;
    char id[TEXT_HEX_SIZE(SNP_CHIP_ID)], fmc[16] = "";
    struct snp_tcb t;
    int n;

    if (r->signing_key != SNP_KEY_VCEK || snp_is_zero(r->chip_id))
        return err_set(err, ERR_NOT_FOUND,
                "KDS: the report names no chip, its provider has the "
                "certificate");
    if (!snp_tcb_of(p, r->reported_tcb, &t))
        return err_set(err, ERR_UNSUPPORTED, "KDS: no known product");
    text_format_hex(SPAN(r->chip_id.ptr, id_len), id);
    if (p == SNP_TURIN)
        (void)snprintf(fmc, sizeof(fmc), "fmcSPL=%02u&", t.fmc);
    n = snprintf(ret, SNP_KDS_URL_MAX,
            "https://kdsintf.amd.com/vcek/v1/%s/%s?%sblSPL=%02u&teeSPL=%02u&"
            "snpSPL=%02u&ucodeSPL=%02u",
            snp_product_name(p), id, fmc, t.bootloader, t.tee, t.snp,
            t.microcode);
    return n > 0 && n < SNP_KDS_URL_MAX
                   ? 0
                   : err_set(err, ERR_LIMIT, "KDS: too long");
}
