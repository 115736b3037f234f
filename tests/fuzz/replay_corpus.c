/*
 * replay_corpus: the main() of a fuzzer that is built without libFuzzer: gives each file of the folders named to the
 * fuzzed function once, plus each of them cut short at some places, so that every build and every test run tries what
 * was found once. Fails on an empty corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 4 * 1024 * 1024, CUTS = 8 };

/* A copy of exactly that size, so that reading one byte too far is noticed. */
static void try_bytes(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int try_file(const char *path)
{
    static uint8_t bytes[FILE_MAX];
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    try_bytes(bytes, size);
    for (size_t i = 1; i < CUTS; i++)
        try_bytes(bytes, size * i / CUTS);
    return 1;
}

int main(int argc, char **argv)
{
    int tried = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = argv[i][0] == '-' ? NULL : opendir(argv[i]);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.')
                tried += try_file(path);
        }
        if (folder)
            closedir(folder);
    }
    printf("%d files tried\n", tried);
    return tried > 0 ? 0 : 1;
}
