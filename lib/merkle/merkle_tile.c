/* SPDX-License-Identifier: Apache-2.0 */
/* C2SP tlog-tiles: paths, partial tiles, entry bundles. */
#include "merkle.h"

#include <assert.h>
#include <stdio.h>

void merkle_tile_path(int level, uint64_t n, unsigned width,
        char ret[static MERKLE_PATH_SIZE])
{
    char groups[40];
    size_t at = sizeof groups - 1;
    int len;

    assert(level >= MERKLE_ENTRIES && level <= MERKLE_LEVEL_MAX);
    assert(width >= 1 && width <= MERKLE_TILE_WIDTH);
    /* Groups of three digits; all but the last start with x. */
    groups[at] = '\0';
    for (bool last = true; last || n > 0; last = false, n /= 1000) {
        char group[8];
        unsigned digits = (unsigned)(n % 1000);

        len = snprintf(group, sizeof group, "%s%03u%s", last ? "" : "x", digits,
                last ? "" : "/");
        at -= (size_t)len;
        memcpy(groups + at, group, (size_t)len);
    }
    if (level == MERKLE_ENTRIES)
        len = snprintf(ret, MERKLE_PATH_SIZE, "tile/entries/%s", groups + at);
    else
        len = snprintf(ret, MERKLE_PATH_SIZE, "tile/%d/%s", level, groups + at);
    if (width < MERKLE_TILE_WIDTH)
        snprintf(ret + len, MERKLE_PATH_SIZE - (size_t)len, ".p/%u", width);
}

unsigned merkle_tile_width(int level, uint64_t n, uint64_t size)
{
    unsigned shift = level < 0 ? 0 : MERKLE_TILE_HEIGHT * (unsigned)level;
    uint64_t count = size >> shift;
    uint64_t full = count / MERKLE_TILE_WIDTH;

    if (n < full)
        return MERKLE_TILE_WIDTH;
    return n == full ? (unsigned)(count % MERKLE_TILE_WIDTH) : 0;
}

int merkle_tile_hash(struct span tile, unsigned height, unsigned index,
        uint8_t ret[static MERKLE_HASH])
{
    uint8_t level[MERKLE_TILE_BYTES];
    size_t width, first;

    if (height > MERKLE_TILE_HEIGHT || index >= MERKLE_TILE_WIDTH)
        return ERR_LIMIT;
    width = (size_t)1 << height;
    first = (size_t)index << height;
    if (tile.len % MERKLE_HASH != 0 || first + width > tile.len / MERKLE_HASH)
        return ERR_NOT_FOUND;
    memcpy(level, tile.ptr + first * MERKLE_HASH, width * MERKLE_HASH);
    for (; width > 1; width /= 2) {
        for (size_t i = 0; i < width / 2; i++)
            merkle_node(level + 2 * i * MERKLE_HASH,
                    level + (2 * i + 1) * MERKLE_HASH, level + i * MERKLE_HASH);
    }
    memcpy(ret, level, MERKLE_HASH);
    return 0;
}

int merkle_bundle_put(struct buf *b, struct span entry)
{
    if (entry.len > LIMIT_LOG_ENTRY_MAX)
        return ERR_LIMIT;
    buf_append_u8(b, (uint8_t)(entry.len >> 8));
    buf_append_u8(b, (uint8_t)entry.len);
    buf_append(b, entry);
    return buf_ok(b, NULL);
}

bool merkle_bundle_get(struct wire_reader *r, struct span *ret)
{
    return wire_get_vec16be(r, ret);
}
