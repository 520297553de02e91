// SPDX-License-Identifier: Apache-2.0
// The embedded kernels, loaded once for each device.
#ifndef PIXVIEWI_MODULE_H
#define PIXVIEWI_MODULE_H

#include "pixview/pixview.h"

struct pixviewi_scope;

// Was the library built with kernels?
bool pixviewi_cuda_has_kernels(void);

// Do they load on `device`?
pixview_status pixviewi_cuda_load_kernels(int device, pixview_error *err);

typedef struct pixviewi_kernels pixviewi_kernels;

// Enters the device, with its kernels loaded. On failure nothing has to be left.
pixview_status pixviewi_kernels_enter(struct pixviewi_scope *scope, int device,
                                      const pixviewi_kernels **out, pixview_error *err);
void *pixviewi_kernel(const pixviewi_kernels *kernels, int index);
const char *pixviewi_kernel_name(int index);

#endif
