// SPDX-License-Identifier: Apache-2.0
// What kcheck counts, against a count by hand.
#include "../kcheck/sectors.h"
#include "harness.h"

static void require_sectors(krows rows, int64_t size, int64_t touched, int64_t partial)
{
    ksectors got = count_sectors(&rows, size);
    REQUIRE_INT(got.touched, touched);
    REQUIRE_INT(got.partial, partial);
}

static krows rows_at(int64_t at, int64_t count, int64_t pitch, int64_t bytes)
{
    return (krows){.data = (const char *)(uintptr_t)at,
                   .counts = {1, 1, count},
                   .strides = {0, 0, pitch},
                   .bytes = bytes};
}

static void test_one_row(void)
{
    require_sectors(rows_at(4096, 1, 0, 32), 32, 1, 0);
    require_sectors(rows_at(4096, 1, 0, 32), 64, 1, 1);
    require_sectors(rows_at(4096, 1, 0, 31), 32, 1, 1);
    require_sectors(rows_at(4097, 1, 0, 31), 32, 1, 1);
    require_sectors(rows_at(4096 + 5, 1, 0, 17), 32, 1, 1);
    require_sectors(rows_at(4096 + 31, 1, 0, 2), 32, 2, 2);
    require_sectors(rows_at(4096 + 5, 1, 0, 100), 32, 4, 2); // 5..105: 27, 32, 32, 9
    require_sectors(rows_at(4096 + 5, 1, 0, 91), 32, 3, 1);
}

static void test_rows_apart(void)
{
    require_sectors(rows_at(4096 + 5, 1000, 1024, 17), 32, 1000, 1000);
    require_sectors(rows_at(4096 + 5, 1000, 1024, 17), 64, 1000, 1000);
    require_sectors(rows_at(4096 + 5, 10, 1024, 64), 32, 30, 20);
    require_sectors(rows_at(4096 + 5, 10, 1024, 64), 64, 20, 20);
}

// Side by side, they fill what they share; a gap in it leaves it partial, and counts it once.
static void test_shared(void)
{
    require_sectors(rows_at(4096, 64, 17, 17), 32, 34, 0);
    require_sectors(rows_at(4096 + 1, 64, 17, 17), 32, 35, 2);
    require_sectors(rows_at(4096, 4, 24, 17), 32, 3, 3); // 0..17, 24..41, 48..65, 72..89
    require_sectors(rows_at(4096, 2, 48, 17), 32, 3, 3); // 0..17, 48..65
    require_sectors(rows_at(4096, 3, 48, 40), 32, 5, 3); // 0..40, 48..88, 96..136
    require_sectors(rows_at(4096, 2, 48, 48), 32, 3, 0); // one run
    require_sectors(rows_at(4096, 1, 48, 0), 32, 0, 0);  // nothing
    require_sectors(rows_at(4096, 0, 48, 17), 32, 0, 0);
}

// The rows of a batch: planes are rows of their own, interleaved pixels are not.
static void test_rows_of(void)
{
    const int64_t shape[4] = {2, 3, 5, 4};
    pixviewi_operand planar = {.dtype = {PIXVIEW_DTYPE_UINT, 16, 1},
                               .strides = {4096, 100, 2, 512}};
    pixviewi_operand mixed = {.dtype = {PIXVIEW_DTYPE_UINT, 16, 1}, .strides = {4096, 100, 8, 2}};
    planar.data = mixed.data = (char *)(uintptr_t)4096;
    krows rows = rows_of(&planar, shape, PLANAR);
    REQUIRE_INT(rows.bytes, 10);
    require_sectors(rows, 32, 24, 24); // 0..10, 100..110, 200..210, of 8 planes
    rows = rows_of(&mixed, shape, MIXED);
    REQUIRE_INT(rows.bytes, 40);
    require_sectors(rows, 32, 12, 10); // 0..40, 100..140, 200..240
}

int main(void)
{
    test_one_row();
    test_rows_apart();
    test_shared();
    test_rows_of();
    return 0;
}
