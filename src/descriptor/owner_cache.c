// SPDX-License-Identifier: Apache-2.0
// The memory of owners: malloc, behind one spare block for each thread.
//
// A pipeline makes a view and drops it, again and again, so each thread keeps the last block that it gave
// back. That takes no lock, whichever thread a block came from. A key's destructor frees the spare one
// at the end of its thread.
#include "descriptor/owner_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "descriptor/base.h"

// glibc has room for a few such variables of libraries that are loaded later, and spares a call.
#ifdef __GLIBC__
#define OF_THREAD static _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define OF_THREAD static _Thread_local
#endif
OF_THREAD void *spare;

OF_THREAD size_t spare_size;
OF_THREAD bool known; // to the key

static pthread_key_t key;
static atomic_bool has_key; // the process may end while a thread makes it

// A use after the end is found all the same.
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#else
#define __asan_poison_memory_region(address, size)   ((void)0)
#define __asan_unpoison_memory_region(address, size) ((void)0)
#endif

static void end_thread(void *ignored)
{
    (void)ignored;
    if (spare)
        __asan_unpoison_memory_region(spare, spare_size);
    free(spare);
    spare = NULL;
    known = false; // a later destructor of this thread may give a block back
}

static void make_key(void) { has_key = pthread_key_create(&key, end_thread) == 0; }

// The library may be unloaded while its threads go on.
__attribute__((destructor)) static void delete_key(void)
{
    if (has_key)
        pthread_key_delete(key);
    has_key = false;
}

static bool introduce(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    known = has_key && pthread_setspecific(key, &key) == 0;
    return known;
}

PIXVIEWI_HOT void *pixviewi_owner_cache_take(size_t size)
{
    void *block = spare;
    if (!block)
        return malloc(size);
    spare = NULL;
    __asan_unpoison_memory_region(block, size);
    return block;
}

PIXVIEWI_HOT void pixviewi_owner_cache_give(void *block, size_t size)
{
    if (spare || (!known && !introduce())) {
        free(block);
        return;
    }
    __asan_poison_memory_region(block, size);
    spare = block;
    spare_size = size;
}
