/* SPDX-License-Identifier: Apache-2.0 */
/* Unified kernel images: systemd-stub(7), and SBAT of shim. */
#include "pe.h"

/* First systemd version that measures the section; 0: none does. */
static const struct {
    const char *name;
    unsigned since;
} sections[PE_UKI_SECTIONS] = {
        [PE_UKI_LINUX] = {".linux", 252},
        [PE_UKI_OSREL] = {".osrel", 252},
        [PE_UKI_CMDLINE] = {".cmdline", 252},
        [PE_UKI_INITRD] = {".initrd", 252},
        [PE_UKI_UCODE] = {".ucode", 256},
        [PE_UKI_SPLASH] = {".splash", 252},
        [PE_UKI_DTB] = {".dtb", 252},
        [PE_UKI_UNAME] = {".uname", 254},
        [PE_UKI_SBAT] = {".sbat", 254},
        [PE_UKI_PCRSIG] = {".pcrsig", 0},
        [PE_UKI_PCRPKEY] = {".pcrpkey", 252},
};

/* With one of these the stub chooses by menu or hardware what it measures. */
static const char *const chosen[] = {
        ".profile", ".dtbauto", ".hwids", ".efifw"};

const char *pe_uki_name(enum pe_uki_section id)
{
    return sections[id].name;
}

bool pe_uki_is_measured(enum pe_uki_section id, unsigned stub_version)
{
    return sections[id].since && stub_version >= sections[id].since;
}

bool pe_uki_is_known_stub(unsigned v)
{
    return v == 252 || (v >= 254 && v <= 258);
}

/* "#### LoaderInfo: systemd-stub 252.39-1~deb12u2 ####" */
static unsigned stub_version(const struct pe *pe)
{
    static const char magic[] = "#### LoaderInfo: systemd-stub ";
    const struct pe_section *s;
    struct span text;
    unsigned v = 0;
    size_t i = sizeof(magic) - 1;

    if (pe_find(pe, ".sdmagic", &s) != 0 || pe_content(s, &text) != 0 ||
            text.len < i || memcmp(text.ptr, magic, i) != 0)
        return 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        v = v * 10 + (unsigned)(text.ptr[i] - '0');
        if (v > 99999)
            return 0;
    }
    return v;
}

static int take_section(
        const struct pe *pe, size_t id, struct pe_uki *out, struct err *err)
{
    const struct pe_section *s;
    int r = pe_find(pe, sections[id].name, &s);

    if (r == ERR_NOT_FOUND)
        return 0;
    if (r != 0)
        return err_set(
                err, r, "several sections are named %s", sections[id].name);
    r = pe_content(s, &out->section[id]);
    if (r != 0)
        return err_set(err, r,
                "section %s is longer in memory than in the "
                "file",
                sections[id].name);
    out->has[id] = true;
    return 0;
}

int pe_uki(const struct pe *pe, struct pe_uki *ret, struct err *err)
{
    struct pe_uki out = {.stub_version = stub_version(pe)};
    const struct pe_section *s;

    for (size_t i = 0; i < ARRAY_LEN(chosen); i++) {
        if (pe_find(pe, chosen[i], &s) != ERR_NOT_FOUND)
            return err_set(err, ERR_UNSUPPORTED,
                    "with a section %s the stub decides at boot what it "
                    "measures",
                    chosen[i]);
    }
    for (size_t id = 0; id < PE_UKI_SECTIONS; id++) {
        int r = take_section(pe, id, &out, err);

        if (r != 0)
            return r;
    }
    if (!out.has[PE_UKI_LINUX])
        return err_set(err, ERR_NOT_FOUND,
                "no section .linux: not a unified kernel image");
    *ret = out;
    return 0;
}

/* The field up to the next comma; the last one ends with the line. */
static bool next_field(struct span *line, struct span *ret)
{
    size_t i = 0;

    if (!line->ptr)
        return false;
    while (i < line->len && line->ptr[i] != ',')
        i++;
    *ret = SPAN(line->ptr, i);
    *line = i < line->len ? SPAN(line->ptr + i + 1, line->len - i - 1)
                          : SPAN_EMPTY;
    return true;
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

static bool get_sbat(struct span line, struct pe_sbat *ret)
{
    struct pe_sbat e = {.generation = 0};
    struct span generation;

    if (!is_printable(line) || !next_field(&line, &e.component) ||
            !next_field(&line, &generation) || e.component.len == 0 ||
            !text_parse_u64(generation, &e.generation) || e.generation == 0)
        return false;
    /* The rest is for people; shim's own lists end after the generation. */
    if (!next_field(&line, &e.vendor) || !next_field(&line, &e.package) ||
            !next_field(&line, &e.version) || !next_field(&line, &e.url))
        line = SPAN_EMPTY;
    if (line.ptr)
        return false;
    *ret = e;
    return true;
}

static struct span without_padding(struct span s)
{
    while (s.len && s.ptr[s.len - 1] == 0)
        s.len--;
    return s;
}

int pe_sbat_next(struct span *rest, struct pe_sbat *ret, struct err *err)
{
    struct span text = without_padding(*rest), line;
    struct text_lines l = text_lines_of(text);

    if (text.len > PE_SBAT_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "SBAT text of %zu bytes", text.len);
    if (!text_next_line(&l, &line))
        return 0;
    if (!get_sbat(line, ret))
        return err_set(err, ERR_SYNTAX, "SBAT text: line is malformed");
    *rest = SPAN(l.ptr, l.left);
    return 1;
}
