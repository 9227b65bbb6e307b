/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wan NS_A NS_B [--delay MS] [--jitter MS] [--loss PPM] [--rate KBIT]
 *     [--queue MS] [--seed N]: a long line between two network namespaces, for
 * kernels without netem.
 *
 * Makes the interface wan0 in both (ip-netns(8)) and carries packets between
 * them, each way alike: a bottleneck of RATE (0: none) that holds QUEUE
 * milliseconds and then drops, DELAY, up to JITTER more for each packet alone
 * (so they overtake each other), and LOSS in a million.  The same seed loses
 * the same packets by number.
 *
 * SIGUSR1 cuts the line, SIGUSR2 mends it, SIGTERM ends; "ready" on stdout when
 * the interfaces are there.  Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and
 * /dev/net/tun.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 2048
/* 200 Mbit/s for half a second each way, of full packets. */
#define PACKETS_MAX 32768
#define BATCH       64
#define NS_PER_MS   1000000u

struct packet {
    TAILQ_ENTRY(packet) entry;
    uint64_t due; /* nanoseconds */
    size_t len;
    uint8_t bytes[PACKET_MAX];
};
TAILQ_HEAD(packets, packet);

/* One way: from one interface, over the line, to the other. */
struct way {
    int from, to;
    uint64_t busy; /* the bottleneck is, until then */
    struct packets line;
    unsigned long carried, lost, dropped;
};

static unsigned delay_ms = 25, jitter_ms, loss_ppm, rate_kbit, queue_ms = 100;
static uint64_t seed = 1;
static struct packets spare = TAILQ_HEAD_INITIALIZER(spare);
static volatile sig_atomic_t is_cut, is_over;

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "wan: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* splitmix64 */
static uint64_t chance(void)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void on_signal(int sig)
{
    if (sig == SIGUSR1)
        is_cut = 1;
    else if (sig == SIGUSR2)
        is_cut = 0;
    else
        is_over = 1;
}

/* ---- interfaces ------------------------------------------------------ */

static int open_in(const char *namespace)
{
    char path[256];
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    (void)snprintf(path, sizeof(path), "/run/netns/%s", namespace);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        die(path);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)snprintf(r.ifr_name, sizeof(r.ifr_name), "wan0");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0)
        die("/dev/net/tun");
    if (setns(home, CLONE_NEWNET) != 0)
        die("setns");
    (void)close(ns);
    (void)close(home);
    return fd;
}

/* ---- packets --------------------------------------------------------- */

/* In the order they arrive, which is nearly that in which they left. */
static void put(struct way *w, struct packet *p)
{
    struct packet *before = TAILQ_LAST(&w->line, packets);

    while (before != NULL && before->due > p->due)
        before = TAILQ_PREV(before, packets, entry);
    if (before != NULL)
        TAILQ_INSERT_AFTER(&w->line, before, p, entry);
    else
        TAILQ_INSERT_HEAD(&w->line, p, entry);
}

/* False when it is lost. */
static bool send_off(struct way *w, struct packet *p, uint64_t t)
{
    bool unlucky = loss_ppm > 0 && chance() % 1000000 < loss_ppm;

    if (is_cut || unlucky) {
        w->lost++;
        return false;
    }
    if (rate_kbit > 0) {
        uint64_t start = w->busy > t ? w->busy : t;
        if (start - t > (uint64_t)queue_ms * NS_PER_MS) {
            w->dropped++;
            return false;
        }
        w->busy = t = start + p->len * 8 * NS_PER_MS / rate_kbit;
    }
    p->due = t + (uint64_t)delay_ms * NS_PER_MS;
    if (jitter_ms > 0)
        p->due += chance() % ((uint64_t)jitter_ms * NS_PER_MS);
    put(w, p);
    return true;
}

static void take(struct way *w, uint64_t t)
{
    struct packet *p;

    for (int i = 0; i < BATCH && (p = TAILQ_FIRST(&spare)) != NULL; i++) {
        ssize_t n = read(w->from, p->bytes, sizeof(p->bytes));
        if (n <= 0)
            return;
        TAILQ_REMOVE(&spare, p, entry);
        p->len = (size_t)n;
        if (!send_off(w, p, t))
            TAILQ_INSERT_HEAD(&spare, p, entry);
    }
}

/* What was under way when the line was cut does not arrive. */
static void give(struct way *w, uint64_t t)
{
    struct packet *p;

    while ((p = TAILQ_FIRST(&w->line)) != NULL && (is_cut || p->due <= t)) {
        TAILQ_REMOVE(&w->line, p, entry);
        if (is_cut)
            w->lost++;
        else if (write(w->to, p->bytes, p->len) == (ssize_t)p->len)
            w->carried++;
        TAILQ_INSERT_HEAD(&spare, p, entry);
    }
}

static void carry(struct way ways[static 2])
{
    struct pollfd fds[2] = {{.fd = ways[0].from, .events = POLLIN},
            {.fd = ways[1].from, .events = POLLIN}};

    while (!is_over) {
        uint64_t t = now(), next = t + 100u * NS_PER_MS;
        for (int i = 0; i < 2; i++) {
            take(&ways[i], t);
            give(&ways[i], t);
            const struct packet *p = TAILQ_FIRST(&ways[i].line);
            if (p != NULL && p->due < next)
                next = p->due;
        }
        uint64_t wait = next > t ? next - t : 0;
        struct timespec ts = {0, (long)wait};
        (void)ppoll(fds, 2, &ts, NULL);
    }
}

/* ---- command line ---------------------------------------------------- */

static const struct option options[] = {
        {"delay", required_argument, NULL, 'd'},
        {"jitter", required_argument, NULL, 'j'},
        {"loss", required_argument, NULL, 'l'},
        {"rate", required_argument, NULL, 'r'},
        {"queue", required_argument, NULL, 'q'},
        {"seed", required_argument, NULL, 's'},
        {0},
};

_Noreturn static void usage(void)
{
    (void)fprintf(stderr,
            "usage: wan NS_A NS_B [--delay MS] [--jitter MS] [--loss PPM] "
            "[--rate KBIT] [--queue MS] [--seed N]\n");
    exit(2);
}

static void set_option(int c, const char *text)
{
    unsigned *const to[] = {['d'] = &delay_ms,
            ['j'] = &jitter_ms,
            ['l'] = &loss_ppm,
            ['r'] = &rate_kbit,
            ['q'] = &queue_ms};
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n > 10000000)
        usage();
    if (c == 's')
        seed = n;
    else
        *to[c] = (unsigned)n;
}

int main(int argc, char **argv)
{
    static struct packet packets[PACKETS_MAX];
    struct sigaction sa = {.sa_handler = on_signal};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            usage();
        set_option(c, optarg);
    }
    if (argc - optind != 2)
        usage();
    (void)sigaction(SIGUSR1, &sa, NULL);
    (void)sigaction(SIGUSR2, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
    (void)prctl(PR_SET_TIMERSLACK, 1000);
    for (size_t i = 0; i < PACKETS_MAX; i++)
        TAILQ_INSERT_TAIL(&spare, &packets[i], entry);
    int a = open_in(argv[optind]), b = open_in(argv[optind + 1]);
    struct way ways[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
    TAILQ_INIT(&ways[0].line);
    TAILQ_INIT(&ways[1].line);
    (void)printf("ready\n");
    (void)fflush(stdout);
    carry(ways);
    for (int i = 0; i < 2; i++)
        (void)printf("%s: %lu carried, %lu lost, %lu dropped\n",
                i == 0 ? "there" : "back", ways[i].carried, ways[i].lost,
                ways[i].dropped);
    return 0;
}
