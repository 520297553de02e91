// SPDX-License-Identifier: Apache-2.0
// Video frames of every kind, read and written, beside the plain C version.
#include "video_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_video(data, size);
    return 0;
}
