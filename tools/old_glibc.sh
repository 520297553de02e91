#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a folder to link with (-L) in place of this machine's C library, so that what comes out needs no
# newer glibc than 2.17. usage: old_glibc.sh FOLDER x86_64|aarch64
#
# zig can make stub libraries of any glibc. gcc compiles and links: it is faster (docs/building.md), and
# LTO stays. A symbol that 2.17 lacks stays without a version: tools/check_wheels.sh finds it.
set -eu
[ ! -e "$1/libc.so" ] || exit 0
mkdir -p "$1"
folder=$(cd "$1" && pwd)
echo 'int none;' >"$folder/none.c"
# An empty library is enough for zig to make its stubs, in its cache.
ZIG_GLOBAL_CACHE_DIR="$folder/cache" ZIG_LOCAL_CACHE_DIR="$folder/cache" \
    "$PY" -m ziglang cc -target "$2-linux-gnu.2.17" -g0 -fno-sanitize=undefined -shared \
    -o "$folder/none.so" "$folder/none.c" -ldl -lm -lpthread
stubs=$(dirname "$(find "$folder/cache" -name libc.so.6)")
cp "$stubs"/lib*.so.* "$(find "$folder/cache" -name libc_nonshared.a)" "$folder"
rm -r "$folder/cache" "$folder"/none.*
# Headers of glibc 2.38 and later rename these, for 0b in C23; they are the old ones under the new name.
cat >"$folder/renamed.c" <<END
#include <stdarg.h>
extern long strtol(const char *, char **, int);
extern unsigned long strtoul(const char *, char **, int);
extern int vfscanf(void *, const char *, va_list);
#define HIDDEN __attribute__((visibility("hidden")))
HIDDEN long __isoc23_strtol(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}
HIDDEN unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
    return strtoul(text, end, base);
}
HIDDEN int __isoc23_fscanf(void *file, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int count = vfscanf(file, format, values);
    va_end(values);
    return count;
}
END
ZIG_GLOBAL_CACHE_DIR="$folder/cache" ZIG_LOCAL_CACHE_DIR="$folder/cache" \
    "$PY" -m ziglang cc -target "$2-linux-gnu.2.17" -O2 -g0 -fPIC -fno-sanitize=undefined -fno-builtin -w \
    -c -o "$folder/renamed.o" "$folder/renamed.c"
"$PY" -m ziglang ar rc "$folder/renamed.a" "$folder/renamed.o"
rm -r "$folder/cache" "$folder"/renamed.[co]
for name in dl m pthread; do
    ln -sf "$(basename "$folder"/lib$name.so.*)" "$folder/lib$name.so"
done
# As /usr/lib's libc.so: what is in neither is in the loader.
echo "GROUP ( $folder/libc.so.6 $folder/renamed.a $folder/libc_nonshared.a AS_NEEDED ( $folder/libld.so.2 ) )" >"$folder/libc.so"
