// SPDX-License-Identifier: Apache-2.0
// DLPack capsules around images.
#ifndef PV_BASE_CAPSULE_H
#define PV_BASE_CAPSULE_H

#include "base/state.h"

// New references. The capsule counts the image's owner up. `flags` are DLPack's.
PyObject *pv_capsule_versioned(pv_state *st, const pixview_image *image, pixview_layout layout,
                               uint64_t flags);
PyObject *pv_capsule_legacy(pv_state *st, const pixview_image *image, pixview_layout layout);

#endif
