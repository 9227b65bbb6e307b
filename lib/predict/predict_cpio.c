/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archives that systemd-stub makes of companion files (systemd-stub(7)):
 * "newc" cpio with every folder of the path before the files, inode numbers
 * counting up from 1 and all times and owners zero.
 */
#include "predict_private.h"

#include <stdlib.h>

#define S_FOLDER 0040000u
#define S_FILE   0100000u
/* Longest name that the stub takes (its own limit is Linux's). */
#define NAME_MAX_LEN 255

static const char trailer[] = "070701"
                              "00000000"
                              "00000000"
                              "00000000"
                              "00000000"
                              "00000001"
                              "00000000"
                              "00000000"
                              "00000000"
                              "00000000"
                              "00000000"
                              "00000000"
                              "0000000B"
                              "00000000"
                              "TRAILER!!!\0\0\0";

static void pad(struct buf *b)
{
    while (b->len % 4 && !b->error)
        buf_append_u8(b, 0);
}

/* path: "FOLDER" or "FOLDER/NAME"; the archive begins at offset 0 of b. */
static void put_entry(struct buf *b, unsigned *inode, unsigned mode,
        struct span folder, const char *name, struct span data)
{
    size_t path_len = folder.len + (name ? 1 + strlen(name) : 0) + 1;

    buf_printf(b,
            "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
            (*inode)++, mode, 0, 0, 1, 0, data.len, 0, 0, 0, 0, path_len, 0);
    buf_append(b, folder);
    if (name) {
        buf_append_u8(b, '/');
        buf_append_str(b, name);
    }
    buf_append_u8(b, 0);
    pad(b);
    buf_append(b, data);
    pad(b);
}

static void put_folders(
        struct buf *b, unsigned *inode, const char *folder, unsigned mode)
{
    for (const char *c = folder; *c; c++) {
        if (*c == '/' && c > folder)
            put_entry(b, inode, S_FOLDER | 0555,
                    SPAN(folder, (size_t)(c - folder)), NULL, SPAN_EMPTY);
    }
    put_entry(b, inode, S_FOLDER | mode, span_str(folder), NULL, SPAN_EMPTY);
}

static int name_cmp(const void *va, const void *vb)
{
    const struct predict_file *const *a = va;
    const struct predict_file *const *b = vb;

    return strcmp((*a)->name, (*b)->name);
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_MAX_LEN || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < 0x20 || name[i] > 0x7e || name[i] == '/')
            return false;
    }
    return true;
}

int predict_cpio(const char *folder, unsigned folder_mode, unsigned file_mode,
        const struct predict_file *file, size_t n, struct buf *ret,
        struct err *err)
{
    const struct predict_file *sorted[PREDICT_EXTRAS_MAX];
    unsigned inode = 1;

    if (n == 0 || n > PREDICT_EXTRAS_MAX || ret->len)
        return err_set(err, ERR_LIMIT, "%zu companion files", n);
    for (size_t i = 0; i < n; i++) {
        if (!is_name(file[i].name))
            return err_set(err, ERR_SYNTAX,
                    "a companion file's name is not one that the stub takes");
        sorted[i] = &file[i];
    }
    qsort(sorted, n, sizeof(*sorted), name_cmp);
    put_folders(ret, &inode, folder, folder_mode);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
            return err_set(err, ERR_EXISTS, "companion file %s is given twice",
                    sorted[i]->name);
        put_entry(ret, &inode, S_FILE | file_mode, span_str(folder),
                sorted[i]->name, sorted[i]->data);
    }
    buf_append(ret, SPAN_OF(trailer));
    return buf_ok(ret, err);
}
