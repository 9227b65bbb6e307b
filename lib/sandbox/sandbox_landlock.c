/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (Documentation/userspace-api/landlock.rst).  The ABI is asked at
 * run time; the constants stand here since the headers of Debian 12 end at
 * ABI 3 and the kernels it runs on do not.
 */
#include "sandbox_private.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_REFER     (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_ABI_1     ((1ull << 13) - 1)

#define NET_BIND_TCP    (1ull << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ull << 1)

#define SCOPE_ABSTRACT_UNIX (1ull << 0) /* ABI 6 */
#define SCOPE_SIGNAL        (1ull << 1)

/* struct landlock_ruleset_attr of ABI 6; older kernels take a prefix. */
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

static size_t ruleset_size(int abi)
{
    if (abi < 4)
        return offsetof(struct ruleset, net);
    return abi < 6 ? offsetof(struct ruleset, scoped) : sizeof(struct ruleset);
}

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
            LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

static uint64_t fs_known(int abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* What a store needs: regular files and folders, nothing to execute, no
 * devices, sockets, fifos or symbolic links. */
static uint64_t fs_store(int abi)
{
    return fs_known(abi) &
           (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                   LANDLOCK_ACCESS_FS_READ_DIR |
                   LANDLOCK_ACCESS_FS_REMOVE_FILE |
                   LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                   LANDLOCK_ACCESS_FS_MAKE_DIR | FS_REFER | FS_TRUNCATE);
}

static void allow_folders(const struct sandbox_spec *spec, int ruleset, int abi,
        const int *folders, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct landlock_path_beneath_attr a = {
                .allowed_access = fs_store(abi),
                .parent_fd = folders[i],
        };

        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
                    &a, 0) < 0)
            sandbox_die(spec, "landlock rule");
    }
}

void sandbox_landlock(const struct sandbox_spec *spec, bool deny_files,
        const int *folders, size_t n)
{
    int abi = sandbox_landlock_abi(), fd;
    struct ruleset attr = {0};

    if (abi == 0) {
        sandbox_warn(spec, "landlock is not there");
        return;
    }
    if (deny_files || n > 0)
        attr.fs = fs_known(abi);
    if (abi >= 4)
        attr.net = spec->groups & SANDBOX_NET ? NET_BIND_TCP
                                              : NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 6)
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    if (attr.fs == 0 && attr.net == 0) /* nothing to say at this ABI */
        return;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, ruleset_size(abi), 0);
    if (fd < 0)
        sandbox_die(spec, "landlock ruleset");
    allow_folders(spec, fd, abi, folders, n);
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        sandbox_die(spec, "landlock");
    (void)close(fd);
}

void sandbox_seal_files(
        const struct sandbox_spec *spec, const int *folders, size_t n)
{
    sandbox_landlock(spec, n == 0, folders, n);
}
