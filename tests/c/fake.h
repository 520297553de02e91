// SPDX-License-Identifier: Apache-2.0
// For C tests: puts the fake driver in the real one's place, and compares its log.
#ifndef FAKE_H
#define FAKE_H

#include "fake_driver.h"
#include "harness.h"

// Before the first driver call. The test is linked with the fake driver, so its own file is known.
void use_fake_driver(int devices);

#define REQUIRE_CALLS(wanted) REQUIRE_TEXT(fake_calls(), wanted)
#define REQUIRE_WORK(wanted)  REQUIRE_TEXT(fake_work(), wanted)

#endif
