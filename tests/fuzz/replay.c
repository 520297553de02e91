// SPDX-License-Identifier: Apache-2.0
// A main for a fuzz target where there is no libFuzzer: runs it on the files named, and on those of folders.
#include <dirent.h>

#include "fuzz.h"

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    static uint8_t room[1 << 16];
    size_t size = fread(room, 1, sizeof room, file);
    fclose(file);
    uint8_t *exact = malloc(size + 1); // of its own, so that the address sanitizer sees its end
    REQUIRE(exact);
    uint8_t *data = exact + 1;
    memcpy(data, room, size);
    LLVMFuzzerTestOneInput(data, size);
    free(exact);
    return true;
}

// How many files there were; -1: it is no folder.
static int run_folder(const char *path)
{
    DIR *folder = opendir(path);
    int count = folder ? 0 : -1;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += run_file(name);
    }
    if (folder)
        closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int found = run_folder(argv[i]);
        if (found < 0 && !run_file(argv[i]))
            FAIL("%s cannot be read", argv[i]);
        count += found < 0 ? 1 : found;
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
