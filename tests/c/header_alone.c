// SPDX-License-Identifier: Apache-2.0
// Compiles if pixview.h needs nothing before it, beside it, or in the including program.
#include <pixview/pixview.h>

pixview_layout (*const header_alone)(const char *name) = pixview_layout_parse;
