// Preloaded: malloc and calloc fail where a test says, for calls that come from one shared object only.
// Python's own allocators have a switch for that; this one is for the C half of pixview. glibc only.
#define _GNU_SOURCE // dl_iterate_phdr
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef __GLIBC__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
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
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}
#endif
