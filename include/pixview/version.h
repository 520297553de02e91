// The one source of the version: the build, the Python package and `pixview doctor` read it here.
#ifndef PIXVIEW_VERSION_H
#define PIXVIEW_VERSION_H

#define PIXVIEW_VERSION_MAJOR 0
#define PIXVIEW_VERSION_MINOR 1
#define PIXVIEW_VERSION_PATCH 0

#endif
