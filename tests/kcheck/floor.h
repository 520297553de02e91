// SPDX-License-Identifier: Apache-2.0
// What others make of the rows of a slow job, and what memory has to move for them.
#ifndef FLOOR_H
#define FLOOR_H

#include "timing.h"

// Columns of a table, for their heads and for jobs without.
extern const char floor_says[];
#define FLOOR_HEAD \
    "2-D copy us | 2-D memset us | stores us | loads us | least us | by sectors | by blocks |"
#define FLOOR_RULE  " --- | --- | --- | --- | --- | --- | --- |"
#define FLOOR_EMPTY " | | | | | | |"

// The columns of a job that takes so long. Empty where something cannot be asked of the driver, or of
// the job's own kernel.
void describe_floor(const ktrial *trial, double us, char *text, size_t bytes);

// One of the columns: microseconds of the least that memory can do. 0: the build has no nvcc.
double time_of_least(const ktrial *trial);

#endif
