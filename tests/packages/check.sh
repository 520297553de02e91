#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a temporary folder, and has programs find it there by pkg-config, CMake and meson, with
# the files that docs/c-library.md shows. usage: check.sh BUILD
# $CC, $CXX: the compilers; CXX=none: no C++ programs. What needs a tool that is not here is skipped, and said so.
set -eu
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/c-library.md
: "${CC:=cc}" "${CXX:=c++}"
export CC CXX
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has() {
    command -v "$1" >/dev/null 2>&1 || { echo "no $1: $2 SKIPPED, not passed"; return 1; }
}

quietly() { # what it says is of interest only if it fails
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; echo "failed: $*" >&2; exit 1; }
}

fail() {
    echo "$*" >&2
    exit 1
}

snippet() { # LANGUAGE: the one of the page
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/!p}" "$page"
}

languages() {
    echo c
    [ "$CXX" = none ] || echo cpp
}

# A folder with one program, and in it what the page tells for C, said for its language.
project() { # FOLDER LANGUAGE FILE of the page, its LANGUAGE there
    mkdir -p "$work/$1"
    cp "$work/program.$2" "$work/$1"
    if [ "$2" = c ]; then
        snippet "$4" >"$work/$1/$3"
    else
        snippet "$4" | sed "s/program\.c/program.cpp/; s/program C)/program CXX)/; s/'c')/'cpp', default_options: 'cpp_std=c++17')/" >"$work/$1/$3"
    fi
    [ -s "$work/$1/$3" ] || fail "no $4 snippet in $page"
}

needs_shared() { # PROGRAM yes|no: does it load libpixview?
    got=no
    ! readelf -d "$1" | grep -q 'NEEDED.*libpixview' || got=yes
    [ "$got" = "$2" ] || fail "$1 needs libpixview.so: $got, not $2"
}

snippet c >"$work/program.c"
cp "$root/examples/cpp/batch.cpp" "$work/program.cpp"
quietly env DESTDIR="$work/root" meson install -C "$build" --no-rebuild
pc=$(find "$work/root" -name pixview.pc)
export PKG_CONFIG_PATH="${pc%/*}"
libdir=${PKG_CONFIG_PATH%/pkgconfig}
prefix=$(dirname "$(dirname "$(find "$work/root" -path '*/include/pixview')")")
export LD_LIBRARY_PATH="$libdir"

soname=$(readelf -d "$libdir/libpixview.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
case $("$root/tools/version.sh") in
0.*) wanted=libpixview.so.$("$root/tools/version.sh" | cut -d. -f1,2) ;;
*) wanted=libpixview.so.$("$root/tools/version.sh" | cut -d. -f1) ;;
esac
[ "$soname" = "$wanted" ] || fail "soname $soname, not $wanted"
[ -e "$libdir/$soname" ] || fail "no $soname beside libpixview.so"

if has pkg-config "programs by pkg-config"; then
    for language in $(languages); do
        compiler=$CC
        [ "$language" = c ] || compiler="$CXX -std=c++17"
        quietly $compiler "$work/program.$language" $(pkg-config --cflags --libs pixview) -o "$work/shared"
        needs_shared "$work/shared" yes
        quietly "$work/shared"
        quietly $compiler "$work/program.$language" \
            $(pkg-config --static --cflags --libs pixview | sed 's/-lpixview/-l:libpixview.a/') -o "$work/static"
        needs_shared "$work/static" no
        quietly env -u LD_LIBRARY_PATH "$work/static"
    done
    echo "pkg-config: shared and static programs run"
fi

if has cmake "programs by CMake"; then
    for language in $(languages); do
        for kind in shared static; do
            folder=cmake-$language-$kind
            project $folder $language CMakeLists.txt cmake
            [ $kind = shared ] || sed -i 's/pixview::pixview/pixview::pixview_static/' "$work/$folder/CMakeLists.txt"
            quietly cmake -S "$work/$folder" -B "$work/$folder/build" -DCMAKE_PREFIX_PATH="$prefix"
            quietly cmake --build "$work/$folder/build"
            needs_shared "$work/$folder/build/program" $([ $kind = static ] && echo no || echo yes)
            quietly "$work/$folder/build/program"
        done
    done
    # Another minor version below 1.0 is refused.
    sed -i 's/find_package(pixview [0-9.]*/find_package(pixview 0.999/' "$work/$folder/CMakeLists.txt"
    ! cmake -S "$work/$folder" -B "$work/$folder/other" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 ||
        fail "CMake took this pixview for 0.999"
    grep -q 'requested version' "$work/log" || { cat "$work/log" >&2; fail "CMake failed otherwise"; }
    echo "CMake: shared and static programs run"
fi

for language in $(languages); do
    project meson-$language $language meson.build meson
    quietly meson setup "$work/meson-$language/build" "$work/meson-$language"
    quietly meson compile -C "$work/meson-$language/build"
    needs_shared "$work/meson-$language/build/program" yes
    quietly "$work/meson-$language/build/program"
done
echo "meson: programs with the installed library run"

# The library is compiled anew, so for one language, and not optimised.
if has git "a program by the wrap"; then
    mkdir "$work/repository" "$work/meson-c/subprojects"
    for part in meson.build meson.options LICENSE include src tools; do cp -r "$root/$part" "$work/repository"; done
    quietly git -C "$work/repository" init -b main
    quietly git -C "$work/repository" add .
    quietly git -C "$work/repository" -c user.name=test -c user.email=test@localhost commit -m all
    snippet ini | sed "s|ADDRESS|file://$work/repository|" >"$work/meson-c/subprojects/pixview.wrap"
    quietly meson setup "$work/meson-c/wrap" "$work/meson-c" --wrap-mode=forcefallback -Dpixview:cuda=disabled -Doptimization=0
    quietly meson compile -C "$work/meson-c/wrap"
    needs_shared "$work/meson-c/wrap/program" no
    quietly env -u LD_LIBRARY_PATH "$work/meson-c/wrap/program"
    ! find "$work/meson-c/wrap" -name 'libpixview.so*' | grep -q . || fail "a subproject builds the shared library"
    echo "meson: a program by the wrap runs"
fi
