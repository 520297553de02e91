// SPDX-License-Identifier: Apache-2.0
// The fault sweep: faults.c has the machinery, fault_cases.c what is swept.
#ifndef FAULTS_H
#define FAULTS_H

#include "fake.h"

typedef struct fault_case {
    const char *function; // a public name, or one of the library's own
    const char *what;     // tells the cases of one function apart
    // Calls the function, checks its outputs, and gives back all that it got. Where it also calls
    // others, the status of the first that failed.
    pixview_status (*run)(pixview_error *err);
    const char *cannot_fail; // why it allocates nothing and calls no driver; NULL: it does
} fault_case;

extern const fault_case fault_cases[];
extern const int fault_case_count;

void prepare_fault_cases(void); // memory and streams
void warm_fault_cases(void);    // starts what stays, the thread of shared images
void end_fault_cases(void);

#endif
