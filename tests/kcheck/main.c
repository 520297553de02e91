// SPDX-License-Identifier: Apache-2.0
// kcheck [--small] [--no-huge] [--seed=N] [--bench[=FILTER]] [--markdown=FILE]
//
// Checks; with --bench then measures, if all passed. Exit status: 0, 1 (something differed), 77 (no
// GPU, or no kernels).
#include "kcheck.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

typedef struct koptions {
    bool small, huge, bench;
    uint64_t seed;
    const char *filter, *markdown;
} koptions;

static koptions parse(int argc, char **argv)
{
    koptions options = {.huge = true, .seed = 1, .filter = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--small") == 0) {
            options.small = true;
            options.huge = false;
        } else if (strcmp(argv[i], "--no-huge") == 0) {
            options.huge = false;
        } else if (strncmp(argv[i], "--seed=", 7) == 0) {
            options.seed = strtoull(argv[i] + 7, NULL, 10);
        } else if (strncmp(argv[i], "--bench", 7) == 0) {
            options.bench = true;
            options.filter = argv[i][7] == '=' ? argv[i] + 8 : "";
        } else if (strncmp(argv[i], "--markdown=", 11) == 0) {
            options.markdown = argv[i] + 11;
        } else {
            fprintf(stderr, "kcheck: unknown option %s\n", argv[i]);
            exit(2);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    koptions options = parse(argc, argv);
    int count;
    pixview_error error;
    if (pixviewi_cuda_device_count(&count, &error) != PIXVIEW_OK)
        SKIP(error.message);
    if (!pixviewi_cuda_has_kernels())
        SKIP("built without kernels");
    int64_t failures = sweep(options.small, options.huge, options.seed);
    if (failures == 0 && options.bench) {
        FILE *markdown = options.markdown ? fopen(options.markdown, "w") : NULL;
        failures = bench(markdown, options.filter);
        if (markdown)
            fclose(markdown);
    }
    return failures != 0;
}
