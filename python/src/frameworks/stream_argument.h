// SPDX-License-Identifier: Apache-2.0
// stream=, as a user passes it: None, an int handle, -1 (no ordering), or a stream of some library.
#ifndef PV_FRAMEWORKS_STREAM_ARGUMENT_H
#define PV_FRAMEWORKS_STREAM_ARGUMENT_H

#include "frameworks/framework.h"

// 0, or -1 with an error. out->object is borrowed.
int pv_parse_stream(pv_state *st, PyObject *value, pv_stream *out);
// Into options; None is as good as absent.
int pv_parse_stream_option(pv_state *st, PyObject *value, pv_options *options);

#endif
