// SPDX-License-Identifier: Apache-2.0
// kcheck over the fake driver, which runs the kernels' own code on the CPU: a small sweep, no times.
#include "fake.h"
#include "kcheck.h"

int main(void)
{
    use_fake_driver(1);
    kmarks = fake_set_marks;
    return sweep(true, false, 1) != 0;
}
