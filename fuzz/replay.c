/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over every file of the folders on the command line, so
 * that each corpus is replayed in every test run without a fuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t n = 0, got;

    if (!f) {
        perror(path);
        exit(1);
    }
    do {
        uint8_t *more = realloc(data, n + 65536);

        if (!more)
            abort();
        data = more;
        got = fread(data + n, 1, 65536, f);
        n += got;
    } while (got > 0);
    (void)fclose(f);
    /* An exact copy, so that a sanitizer sees reads past the end. */
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        abort();
    for (size_t i = 0; i < n; i++)
        exact[i] = data[i];
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    free(data);
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;
        char path[4096];

        if (!d) {
            perror(argv[i]);
            return 1;
        }
        while ((e = readdir(d))) {
            if (e->d_name[0] == '.')
                continue;
            (void)snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
            replay_file(path);
            count++;
        }
        (void)closedir(d);
    }
    printf("replayed %u inputs\n", count);
    return count == 0;
}
