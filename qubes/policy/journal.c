/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define NAME_SHOWN    80
#define SERVICE_SHOWN 256

/* systemd may have made stderr the journal: then nothing is said twice. */
static bool to_journal, stderr_too;

void journal_init(bool stderr_only)
{
    to_journal =
            !stderr_only && access("/run/systemd/journal/socket", W_OK) == 0;
    stderr_too = !to_journal || !getenv("JOURNAL_STREAM");
}

/* One write, so that lines do not mix. */
static void to_stderr(const char *line)
{
    char text[2048];
    int n = snprintf(text, sizeof(text), "%s\n", line);
    size_t len = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;

    (void)!write(STDERR_FILENO, text, len);
}

/* Everything in it was made printable. */
static void format_line(const struct journal_decision *d, const char *service,
        const char *source, const char *target, char *ret, size_t cap)
{
    char chosen[NAME_SHOWN], relay[NAME_SHOWN];

    text_format_safe(d->chosen, chosen, sizeof(chosen));
    text_format_safe(d->relay, relay, sizeof(relay));
    (void)snprintf(ret, cap,
            "qrexec: %s: %s -> %s: %s%s%s%s: %s (request %s%s%s)", service,
            source, target, d->only_asked_about ? "would be " : "",
            d->allow ? "allowed" : "denied",
            d->allow && d->chosen.len ? " to " : "", d->allow ? chosen : "",
            d->reason, d->request, d->relay.len ? ", by relay " : "", relay);
}

#define FIELD_MAX 1024

struct fields {
    char text[10][FIELD_MAX + 32]; /* MESSAGE is the longest */
    struct iovec iov[10];
    int n;
};

static void add(struct fields *f, const char *name, const char *value)
{
    char *text = f->text[f->n];

    (void)snprintf(text, sizeof(f->text[0]), "%s=%s", name, value);
    f->iov[f->n++] = (struct iovec){.iov_base = text, .iov_len = strlen(text)};
}

void journal_decision(const struct journal_decision *d)
{
    char source[NAME_SHOWN], target[NAME_SHOWN], service[SERVICE_SHOWN];
    char rule[NAME_SHOWN + 16] = "", file[NAME_SHOWN], relay[NAME_SHOWN];
    char line[1024];
    struct fields f = {.n = 0};

    text_format_safe(d->source, source, sizeof(source));
    text_format_safe(d->target, target, sizeof(target));
    text_format_safe(d->service, service, sizeof(service));
    format_line(d, service, source, target, line, sizeof(line));
    if (!to_journal) {
        to_stderr(line);
        return;
    }
    if (d->rule_file.len) {
        text_format_safe(d->rule_file, file, sizeof(file));
        (void)snprintf(rule, sizeof(rule), "%s:%u", file, d->rule_line);
    }
    add(&f, "MESSAGE", line);
    add(&f, "PRIORITY", "6");
    add(&f, "QREXEC_REQUEST", d->request);
    add(&f, "QREXEC_SOURCE", source);
    text_format_safe(d->relay, relay, sizeof(relay));
    add(&f, "QREXEC_RELAY", relay);
    add(&f, "QREXEC_TARGET", target);
    add(&f, "QREXEC_SERVICE", service);
    add(&f, "QREXEC_RESULT", d->allow ? "allow" : "deny");
    add(&f, "QREXEC_RULE", rule);
    add(&f, "QREXEC_REASON", d->reason);
    if (sd_journal_sendv(f.iov, f.n) < 0)
        to_stderr(line);
}

void journal_note(int priority, const char *fmt, ...)
{
    char text[512], line[576];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)snprintf(line, sizeof(line), "qrexec-policy-daemon: %s", text);
    if (stderr_too)
        to_stderr(line);
    if (to_journal)
        (void)sd_journal_send(
                "MESSAGE=%s", line, "PRIORITY=%i", priority, NULL);
}
