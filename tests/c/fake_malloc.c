// SPDX-License-Identifier: Apache-2.0
// Preloaded: malloc and calloc fail where a test says, for calls that come from one shared object only. Or small
// blocks, whoever asks, end where memory ends.
// Python's own allocators have a switch for that; this one is for the C half of pixview. glibc only.
#define _GNU_SOURCE // dl_iterate_phdr
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef __GLIBC__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void __libc_free(void *block);
void *__libc_realloc(void *block, size_t size);
#endif

// Every thread's calls of that object count, so a test has one thread.
static uintptr_t low, high;
static int fail_in, called;

static int find_object(struct dl_phdr_info *info, size_t size, void *address)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || (uintptr_t)address - start >= part->p_memsz)
            continue;
        low = start;
        high = start + part->p_memsz;
        return 1;
    }
    return 0;
}

// The object whose code has that address is the one that fails. 0: there is none.
EXPORT int fake_malloc_watch(void *address);
int fake_malloc_watch(void *address) { return dl_iterate_phdr(find_object, address); }

// The nth call from now on fails; 0: none.
EXPORT void fake_malloc_fail(int n);
void fake_malloc_fail(int n) { fail_in = n; }
// How many calls are left until then; 0: it has failed.
EXPORT int fake_malloc_left(void);
int fake_malloc_left(void) { return fail_in; }

// How many calls there were so far.
EXPORT int fake_malloc_calls(void);
int fake_malloc_calls(void) { return called; }

#ifdef __GLIBC__
// ---- blocks at the end of memory ----

enum { PAGE = 4096, EDGES = 4096, EDGE_MOST = 256 };
static char *edges; // pages, each with one behind it that nobody may read
static int edge, edges_left;

// So many of the next blocks of at most EDGE_MOST bytes, which are never used again. Returns how many of the last
// time's are left.
EXPORT int fake_malloc_edges(int count);
int fake_malloc_edges(int count)
{
    int left = edges_left;
    if (!edges)
        edges = mmap(NULL, (size_t)2 * PAGE * EDGES, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    edges_left = edges == MAP_FAILED ? 0 : count;
    return left;
}

static void *at_edge(size_t size)
{
    if (edges_left < 1 || size == 0 || size > EDGE_MOST || edge == EDGES)
        return NULL;
    char *page = edges + (size_t)2 * PAGE * (size_t)edge;
    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    edge++, edges_left--;
    return page + PAGE - (size + 15) / 16 * 16;
}

static int is_at_edge(const void *block)
{
    return edges && (uintptr_t)block - (uintptr_t)edges < (size_t)2 * PAGE * EDGES;
}

// ---- calls ----

static int fails(const void *caller)
{
    if ((uintptr_t)caller - low >= high - low)
        return 0;
    called++;
    return fail_in > 0 && --fail_in == 0;
}

EXPORT void *malloc(size_t size);
EXPORT void *calloc(size_t count, size_t size);

void *malloc(size_t size)
{
    if (fails(__builtin_return_address(0)))
        return NULL;
    void *block = at_edge(size);
    return block ? block : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

EXPORT void free(void *block);
void free(void *block)
{
    if (!is_at_edge(block))
        __libc_free(block);
}

EXPORT void *realloc(void *block, size_t size);
void *realloc(void *block, size_t size)
{
    if (!is_at_edge(block))
        return __libc_realloc(block, size);
    size_t most = PAGE - (uintptr_t)block % PAGE;
    void *other = __libc_malloc(size);
    if (other)
        memcpy(other, block, size < most ? size : most);
    return other;
}
#endif
