/*
 * tests/fuzz/replay.c - main() of a fuzz target that was not built with libFuzzer: runs it over every file of
 * its corpus (tests/fuzz/corpus/<x> for fuzz_<x>), or over the files named as arguments. Speaks TAP.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    uint8_t *exact;
    size_t n;

    if (f == NULL || data == NULL) {
        perror(path);
        exit(99);
    }
    n = fread(data, 1, INPUT_MAX, f);
    fclose(f);
    /* A block of exactly n bytes, so that ASan sees the first byte read too far. */
    exact = malloc(n != 0 ? n : 1);
    if (exact == NULL)
        exit(99);
    memcpy(exact, data, n);
    free(data);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

static int run_corpus(const char *name)
{
    char path[4096];
    const char *src = getenv("SKL_SRCDIR");
    int count = 0, dir_len = snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", src != NULL ? src : ".", name);
    DIR *d = opendir(path);
    struct dirent *e;

    if (d == NULL) {
        perror(path);
        return 99;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path + dir_len, sizeof(path) - (size_t)dir_len, "/%s", e->d_name);
        run_file(path);
        printf("ok %d - fuzz_%s: %s\n", ++count, name, e->d_name);
        fflush(stdout);
    }
    closedir(d);
    printf("1..%d\n", count);
    return 0;
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');

    alarm(300);
    base = base != NULL ? base + 1 : argv[0];
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    if (argc > 1)
        return 0;
    return run_corpus(strncmp(base, "fuzz_", 5) == 0 ? base + 5 : base);
}
