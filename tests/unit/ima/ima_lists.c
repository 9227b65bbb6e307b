/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_lists.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct list list_new(void)
{
    return (struct list){
            .text = BUF_INIT(16u << 20), .bytes = BUF_INIT(16u << 20)};
}

void list_fini(struct list *l)
{
    buf_fini(&l->text);
    buf_fini(&l->bytes);
}

void put_u32(struct buf *b, size_t v)
{
    for (int i = 0; i < 4; i++)
        buf_append_u8(b, (uint8_t)(v >> 8 * i));
}

void field(struct made *m, const void *p, size_t n)
{
    uint8_t le[4] = {(uint8_t)n, (uint8_t)(n >> 8), 0, 0};

    assert_true(m->len + 4 + n <= sizeof(m->data));
    memcpy(m->data + m->len, le, 4);
    memcpy(m->data + m->len + 4, p, n);
    m->len += 4 + n;
}

void field_digest(struct made *m, const char *prefix, const char *hex)
{
    uint8_t d[128];
    size_t n = strlen(prefix);

    memcpy(d, prefix, n + 1);
    assert_true(text_parse_hex(span_str(hex), d + n + 1, 32));
    field(m, d, n + 1 + 32);
}

struct made made_ng(const char *text, const char *hex, const char *name)
{
    struct made m = {"ima-ng", text};

    field_digest(&m, "sha256:", hex);
    field(&m, name, strlen(name) + 1);
    return m;
}

void add(struct list *l, const struct made *m, bool violation)
{
    uint8_t h[CRYPTO_HASH_MAX] = {0};
    char hex[TEXT_HEX_SIZE(20)];

    if (!violation)
        crypto_hash(CRYPTO_SHA1, SPAN(m->data, m->len), h);
    text_format_hex(SPAN(h, 20), hex);
    buf_printf(&l->text, "10 %s %s%s\n", hex, m->template, m->text);
    put_u32(&l->bytes, 10);
    buf_append(&l->bytes, SPAN(h, 20));
    put_u32(&l->bytes, strlen(m->template));
    buf_append_str(&l->bytes, m->template);
    put_u32(&l->bytes, m->len);
    buf_append(&l->bytes, SPAN(m->data, m->len));
    assert_int_equal(buf_ok(&l->bytes, NULL), 0);
    assert_int_equal(buf_ok(&l->text, NULL), 0);
}

/* Every standard template but "ima", and one given as a format. */
size_t all_templates(struct list *l)
{
    struct made m = made_ng(" sha256:" FILE_HEX " /bin/a", FILE_HEX, "/bin/a");

    add(l, &m, false);
    m = (struct made){"ima-ngv2", " verity:sha256:" FILE_HEX " /bin/b"};
    field_digest(&m, "verity:sha256:", FILE_HEX);
    field(&m, "/bin/b", 7);
    add(l, &m, false);
    m = (struct made){"ima-sig", " sha256:" FILE_HEX " /bin/c 030204aabb"};
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/bin/c", 7);
    field(&m, "\x03\x02\x04\xaa\xbb", 5);
    add(l, &m, false);
    m = (struct made){"ima-sig", " sha256:" FILE_HEX " /bin/unsigned "};
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/bin/unsigned", 14);
    field(&m, "", 0);
    add(l, &m, false);
    m = (struct made){"ima-sigv2", " ima:sha256:" FILE_HEX " /bin/d "};
    field_digest(&m, "ima:sha256:", FILE_HEX);
    field(&m, "/bin/d", 7);
    field(&m, "", 0);
    add(l, &m, false);
    m = (struct made){"ima-buf", " sha256:" ABC_HEX " kexec-cmdline 616263"};
    field_digest(&m, "sha256:", ABC_HEX);
    field(&m, "kexec-cmdline", 14);
    field(&m, "abc", 3);
    add(l, &m, false);
    m = (struct made){"ima-modsig",
            " sha256:" FILE_HEX " /lib/m.ko  sha256:" OTHER_HEX " 3082"};
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/lib/m.ko", 10);
    field(&m, "", 0);
    field_digest(&m, "sha256:", OTHER_HEX);
    field(&m, "\x30\x82", 2);
    add(l, &m, false);
    m = (struct made){"evm-sig",
            " sha256:" FILE_HEX
            " /bin/e 0502 security.ima|security.selinux 0100000002000000 "
            "aabbcc 0 1000 33261"};
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/bin/e", 7);
    field(&m, "\x05\x02", 2);
    field(&m, "security.ima|security.selinux", 30);
    field(&m, "\x01\x00\x00\x00\x02\x00\x00\x00", 8);
    field(&m, "\xaa\xbb\xcc", 3);
    field(&m, "\x00\x00\x00\x00", 4);
    field(&m, "\xe8\x03\x00\x00", 4);
    field(&m, "\xed\x81", 2);
    add(l, &m, false);
    m = (struct made){"d-ng|n-ng|imode", " sha256:" FILE_HEX " /bin/f 33261"};
    field_digest(&m, "sha256:", FILE_HEX);
    field(&m, "/bin/f", 7);
    field(&m, "\xed\x81", 2);
    add(l, &m, false);
    return 9;
}

/* n files of one content, named /bin/00 and on. */
void many(struct list *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char name[32], text[128];
        struct made m;

        (void)snprintf(name, sizeof(name), "/bin/%02u", i);
        (void)snprintf(text, sizeof(text), " sha256:" FILE_HEX " %s", name);
        m = made_ng(text, FILE_HEX, name);
        add(l, &m, false);
    }
}

struct ima_list open_list(struct span s, enum ima_format f)
{
    struct ima_list l;

    assert_int_equal(ima_open(s, f, 0, &l, NULL), 0);
    return l;
}

int next_of(struct span s, enum ima_format f, struct ima_entry *e)
{
    struct ima_list l = open_list(s, f);

    return ima_next(&l, e, NULL);
}
