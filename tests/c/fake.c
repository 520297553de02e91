// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE // dladdr
#include "fake.h"

#include <dlfcn.h>

void use_fake_driver(int devices)
{
    Dl_info info;
    int (*symbol)(void) = fake_call_count;
    REQUIRE(dladdr(*(void **)&symbol, &info) != 0);
    REQUIRE(setenv("PIXVIEW_LIBCUDA", info.dli_fname, 1) == 0);
    fake_set_device_count(devices);
    fake_reset();
}
