/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <string.h>
#include <sys/mman.h>

void *secret_new(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (mlock(p, len) < 0 || madvise(p, len, MADV_DONTDUMP) < 0 ||
            madvise(p, len, MADV_WIPEONFORK) < 0) {
        (void)munmap(p, len);
        return NULL;
    }
    return p;
}

void secret_free(void *p, size_t len)
{
    if (!p)
        return;
    secret_wipe(p, len);
    (void)munmap(p, len);
}

void secret_wipe(void *p, size_t len)
{
    explicit_bzero(p, len);
}
