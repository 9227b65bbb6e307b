/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_load.h"

#include "gather.h"

#include <fcntl.h>
#include <unistd.h>

static int open_folder(const char *dir, int *ret, struct err *err)
{
    *ret = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? err_errno(err, "%s", dir) : 0;
}

int policy_load_bundle(
        const char *dir, const char *sub, struct buf *ret, struct err *err)
{
    CLEANUP(buf_close_fd) int fd = -1;
    int r = open_folder(dir, &fd, err);

    return r < 0 ? r : gather_folder(fd, sub, gather_policy, ret, err);
}

int policy_load_system(
        const char *zone_dir, struct policy_system **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf bundle = BUF_INIT(LIMIT_BUNDLE_MAX);
    CLEANUP(conf_qubes_fini) struct conf_qubes qubes = {0};
    CLEANUP(buf_close_fd) int fd = -1;
    int r = open_folder(zone_dir, &fd, err);

    if (r == 0)
        r = gather_folder(fd, "qubes.d", gather_conf, &bundle, err);
    if (r == 0)
        r = conf_qubes_parse(buf_span(&bundle), &qubes, err);
    return r < 0 ? r : policy_system_new_from_conf(&qubes, ret, err);
}
