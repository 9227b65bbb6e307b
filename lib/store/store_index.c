/* SPDX-License-Identifier: Apache-2.0 */
#include "store_private.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct store_index {
    sqlite3 *db;
};

/* Changes when the tables do: an index of another version is made anew. */
#define INDEX_VERSION 1

static const char index_schema[] =
        "PRAGMA synchronous=OFF;"
        "PRAGMA journal_mode=MEMORY;"
        "CREATE TABLE IF NOT EXISTS entry(idx INTEGER PRIMARY KEY,"
        " call BLOB, subject BLOB, kind TEXT, time INTEGER);"
        "CREATE INDEX IF NOT EXISTS entry_call ON entry(call)"
        " WHERE call IS NOT NULL;"
        "CREATE INDEX IF NOT EXISTS entry_subject ON entry(subject);"
        "CREATE INDEX IF NOT EXISTS entry_kind ON entry(kind, idx);"
        "CREATE TABLE IF NOT EXISTS head(id INTEGER PRIMARY KEY CHECK(id=0),"
        " version INTEGER, origin TEXT, size INTEGER, root BLOB);";

static int index_error(
        const struct store_index *x, const char *what, struct err *err)
{
    char safe[120];

    text_format_safe(span_str(sqlite3_errmsg(x->db)), safe, sizeof safe);
    return err_set(err, ERR_IO, "log index: %s: %s", what, safe);
}

static int index_exec(struct store_index *x, const char *sql, struct err *err)
{
    if (sqlite3_exec(x->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return index_error(x, "exec", err);
    return 0;
}

static void stmt_free_ptr(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

/* Size the index covers; 0 when it is empty, ERR_MISMATCH when it is of
 * another log, or of a history that this log does not have. */
static int index_covers(struct store_index *x, struct store_reader *r,
        uint64_t *ret, struct err *err)
{
    CLEANUP(stmt_free_ptr) sqlite3_stmt *q = NULL;
    struct store_hashes hashes;
    struct merkle_source src;
    uint8_t root[MERKLE_HASH];
    int e;

    if (sqlite3_prepare_v2(x->db,
                "SELECT version, origin, size, root FROM head", -1, &q,
                NULL) != SQLITE_OK)
        return index_error(x, "head", err);
    e = sqlite3_step(q);
    if (e == SQLITE_DONE) {
        *ret = 0;
        return 0;
    }
    if (e != SQLITE_ROW)
        return index_error(x, "head", err);
    if (sqlite3_column_int(q, 0) != INDEX_VERSION ||
            sqlite3_column_bytes(q, 3) != MERKLE_HASH ||
            !span_eq_str(SPAN(sqlite3_column_text(q, 1),
                                 (size_t)sqlite3_column_bytes(q, 1)),
                    r->head.origin))
        return err_set(err, ERR_MISMATCH, "log index: of another log");
    *ret = (uint64_t)sqlite3_column_int64(q, 2);
    src = store_hashes_init(&hashes, r->dirfd, NULL);
    e = *ret > r->head.size ? ERR_MISMATCH : merkle_root(&src, *ret, root);
    store_hashes_fini(&hashes);
    if (e < 0 || memcmp(root, sqlite3_column_blob(q, 3), sizeof root) != 0)
        return err_set(err, ERR_MISMATCH, "log index: of another history");
    return 0;
}

/* What the index says of one entry; an entry that is no statement of ours has
 * a row without contents. */
struct index_row {
    bool has_call;
    uint8_t call[STATEMENT_CALL_ID];
    bool has_subject;
    uint8_t subject[STATEMENT_DIGEST];
    const char *kind;
    uint64_t time;
};

static void index_extract(struct span entry, struct index_row *ret)
{
    struct statement_reader r;
    struct statement s;

    memset(ret, 0, sizeof *ret);
    ret->kind = statement_kind_name(STATEMENT_OTHER);
    if (statement_open_untrusted(entry, &s, NULL) < 0)
        return;
    r = statement_reader_of(s.predicate);
    ret->kind = statement_kind_name(s.kind);
    ret->has_subject = true;
    memcpy(ret->subject, s.subject, sizeof ret->subject);
    ret->has_call = statement_has(&r, "call") &&
                    statement_get_hex(&r, "call", ret->call, sizeof ret->call);
    if (!statement_get_time(
                &r, statement_has(&r, "time") ? "time" : "issued", &ret->time))
        ret->time = 0;
    statement_fini(&s);
}

static bool index_insert(
        sqlite3_stmt *q, uint64_t index, const struct index_row *row)
{
    bool ok = sqlite3_bind_int64(q, 1, (sqlite3_int64)index) == SQLITE_OK;

    if (ok && row->has_call)
        ok = sqlite3_bind_blob(q, 2, row->call, sizeof row->call,
                     SQLITE_STATIC) == SQLITE_OK;
    if (ok && row->has_subject)
        ok = sqlite3_bind_blob(q, 3, row->subject, sizeof row->subject,
                     SQLITE_STATIC) == SQLITE_OK;
    ok = ok &&
         sqlite3_bind_text(q, 4, row->kind, -1, SQLITE_STATIC) == SQLITE_OK &&
         sqlite3_bind_int64(q, 5, (sqlite3_int64)row->time) == SQLITE_OK &&
         sqlite3_step(q) == SQLITE_DONE;
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return ok;
}

static int index_set_head(struct store_index *x,
        const struct merkle_checkpoint *c, struct err *err)
{
    CLEANUP(stmt_free_ptr) sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(x->db,
                "INSERT OR REPLACE INTO head VALUES(0, ?, ?, ?, ?)", -1, &q,
                NULL) != SQLITE_OK ||
            sqlite3_bind_int(q, 1, INDEX_VERSION) != SQLITE_OK ||
            sqlite3_bind_text(q, 2, c->origin, -1, SQLITE_STATIC) !=
                    SQLITE_OK ||
            sqlite3_bind_int64(q, 3, (sqlite3_int64)c->size) != SQLITE_OK ||
            sqlite3_bind_blob(q, 4, c->root, sizeof c->root, SQLITE_STATIC) !=
                    SQLITE_OK ||
            sqlite3_step(q) != SQLITE_DONE)
        return index_error(x, "set head", err);
    return 0;
}

static int index_add(struct store_index *x, struct store_reader *r,
        uint64_t from, struct err *err)
{
    CLEANUP(stmt_free_ptr) sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(x->db,
                "INSERT OR REPLACE INTO entry VALUES(?, ?, ?, ?, ?)", -1, &q,
                NULL) != SQLITE_OK)
        return index_error(x, "insert", err);
    for (uint64_t i = from; i < r->head.size; i++) {
        struct index_row row;
        struct span entry;
        int e = store_reader_get(r, i, &entry, err);

        if (e < 0)
            return e;
        index_extract(entry, &row);
        if (!index_insert(q, i, &row))
            return index_error(x, "insert", err);
    }
    return index_set_head(x, &r->head, err);
}

static int index_update(
        struct store_index *x, struct store_reader *r, struct err *err)
{
    uint64_t from = 0;
    int e = index_exec(x, index_schema, err);

    if (e == 0)
        e = index_covers(x, r, &from, err);
    if (e < 0 || from == r->head.size)
        return e;
    e = index_exec(x, "BEGIN IMMEDIATE", err);
    if (e == 0)
        e = index_add(x, r, from, err);
    if (e == 0)
        e = index_exec(x, "COMMIT", err);
    return e;
}

static int index_try(const char *path, struct store_reader *r,
        struct store_index **ret, struct err *err)
{
    struct store_index *x = calloc(1, sizeof *x);
    int e = 0;

    if (x == NULL)
        return err_set(err, ERR_MEMORY, "log index: out of memory");
    if (sqlite3_open_v2(path, &x->db,
                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                        SQLITE_OPEN_NOFOLLOW,
                NULL) != SQLITE_OK)
        e = index_error(x, "open", err);
    if (e == 0) {
        sqlite3_busy_timeout(x->db, 5000);
        e = index_update(x, r, err);
    }
    if (e < 0) {
        store_index_close(x);
        return e;
    }
    *ret = x;
    return 0;
}

/* The file as it is, the file made anew, memory. */
int store_index_open(const char *dir, struct store_reader *r,
        struct store_index **ret, struct err *err)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/index.db", dir) < (int)sizeof path) {
        if (index_try(path, r, ret, err) == 0)
            return 0;
        if (unlink(path) == 0 && index_try(path, r, ret, err) == 0)
            return 0;
    }
    return index_try(":memory:", r, ret, err);
}

void store_index_close(struct store_index *x)
{
    if (x == NULL)
        return;
    sqlite3_close(x->db);
    free(x);
}

void store_index_close_ptr(struct store_index **x)
{
    store_index_close(*x);
}

static int query_prepare(struct store_index *x, const struct store_query *q,
        sqlite3_stmt **ret, struct err *err)
{
    char sql[256];
    int r, at = 0;

    snprintf(sql, sizeof sql,
            "SELECT idx FROM entry WHERE idx >= ?%s%s%s"
            " ORDER BY idx",
            q->call_id != NULL ? " AND call = ?" : "",
            q->subject != NULL ? " AND subject = ?" : "",
            q->kind != NULL ? " AND kind = ?" : "");
    r = sqlite3_prepare_v2(x->db, sql, -1, ret, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_bind_int64(*ret, ++at, (sqlite3_int64)q->from);
    if (r == SQLITE_OK && q->call_id != NULL)
        r = sqlite3_bind_blob(
                *ret, ++at, q->call_id, STATEMENT_CALL_ID, SQLITE_STATIC);
    if (r == SQLITE_OK && q->subject != NULL)
        r = sqlite3_bind_blob(
                *ret, ++at, q->subject, STATEMENT_DIGEST, SQLITE_STATIC);
    if (r == SQLITE_OK && q->kind != NULL)
        r = sqlite3_bind_text(*ret, ++at, q->kind, -1, SQLITE_STATIC);
    return r == SQLITE_OK ? 0 : index_error(x, "query", err);
}

int store_index_query(struct store_index *x, const struct store_query *q,
        int (*fn)(void *arg, uint64_t index), void *arg, struct err *err)
{
    CLEANUP(stmt_free_ptr) sqlite3_stmt *stmt = NULL;
    int r = query_prepare(x, q, &stmt, err);

    if (r < 0)
        return r;
    while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
        int e = fn(arg, (uint64_t)sqlite3_column_int64(stmt, 0));

        if (e != 0)
            return e < 0 ? e : 0;
    }
    return r == SQLITE_DONE ? 0 : index_error(x, "query", err);
}
