/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of EXEC_CMDLINE, service names in paths, configuration files. */
#include "qrexec.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum qrexec_found probe(void *ctx, const char *path)
{
    (void)ctx;
    assert(strncmp(path, "/d/", 3) == 0);
    assert(strchr(path + 3, '/') == NULL);
    assert(strcmp(path, "/d/..") != 0 && strcmp(path, "/d/.") != 0);
    return QREXEC_FOUND_NONE;
}

static void check_service(const struct qrexec_command *c)
{
    char path[QREXEC_PATH_MAX];
    enum qrexec_found found;
    char text[QREXEC_COMMAND_MAX];
    struct qrexec_command again;
    struct err err;

    assert(qrexec_lookup(c->service, "/d", probe, NULL, path, &found, &err) ==
            ERR_NOT_FOUND);
    /* What calld would have said is read back as it was meant. */
    if (c->target_type.len == 0 &&
            qrexec_command_format(
                    c->user, c->service, c->source, text, sizeof(text)) == 0) {
        assert(qrexec_command_parse(span_str(text), &again, &err) == 0);
        assert(again.is_service);
        assert(span_eq(again.user, c->user));
        assert(span_eq(again.service, c->service));
        assert(span_eq(again.source, c->source));
    }
}

static void check_env(const struct qrexec_command *c)
{
    char *const none[] = {NULL};
    struct qrexec_env e;

    if (qrexec_env_build(c, 3, none, &e) == 0) {
        for (size_t i = 0; e.vars[i]; i++)
            assert(strchr(e.vars[i], '=') != NULL);
        qrexec_env_fini(&e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qrexec_command c;
    struct qrexec_config config;
    struct err err;

    if (size > 60000)
        return 0;
    if (qrexec_command_parse(SPAN(data, size), &c, &err) == 0) {
        if (c.is_service)
            check_service(&c);
        check_env(&c);
    }
    if (qrexec_config_parse(SPAN(data, size), &config, &err) == 0)
        assert(strlen(config.force_user) <= LIMIT_NAME_MAX);
    return 0;
}
