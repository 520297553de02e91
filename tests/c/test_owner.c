// SPDX-License-Identifier: Apache-2.0
// Owners: one release, at the last unref, whichever thread it is on.
#include "harness.h"

#include <pthread.h>

#include "descriptor/owner.h"

static atomic_int released;

static void release(void *ctx) { atomic_fetch_add((atomic_int *)ctx, 1); }

static void test_count(void)
{
    pixview_owner *owner = NULL;
    atomic_store(&released, 0);
    REQUIRE_OK(pixview_owner_create(&released, release, &owner, err));
    REQUIRE(owner != NULL);
    pixview_owner_ref(owner);
    pixview_owner_unref(owner);
    REQUIRE_INT(released, 0);
    pixview_owner_unref(owner);
    REQUIRE_INT(released, 1);
    pixview_owner_ref(NULL);
    pixview_owner_unref(NULL);
}

static void test_refused(void)
{
    char anything;
    pixview_owner *owner = (pixview_owner *)(void *)&anything;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "release", pixview_owner_create(NULL, NULL, &owner, err));
    REQUIRE(owner == NULL);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "out", pixview_owner_create(NULL, release, NULL, err));
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *drop(void *arg)
{
    pixview_owner *owner = arg;
    for (int i = 0; i < ROUNDS; i++) {
        pixview_owner_ref(owner);
        pixview_owner_unref(owner);
    }
    pixview_owner_unref(owner);
    return NULL;
}

static void *make_and_drop(void *key)
{
    pixview_owner *owner[2] = {NULL};
    for (int i = 0; i < 2; i++)
        REQUIRE_OK(pixview_owner_create(&released, release, &owner[i], err));
    if (key) // dropped after this thread's own end
        REQUIRE_INT(pthread_setspecific(*(pthread_key_t *)key, owner[0]), 0);
    else
        pixview_owner_unref(owner[0]);
    pixview_owner_unref(owner[1]);
    return NULL;
}

static void drop_late(void *owner) { pixview_owner_unref(owner); }

// Owners are dropped on other threads, and by a destructor after a thread's own end.
static void test_end_of_thread(void)
{
    pthread_key_t before, after; // than pixview's own key, made at the first release
    pthread_t thread;
    REQUIRE_INT(pthread_key_create(&before, drop_late), 0);
    make_and_drop(NULL);
    REQUIRE_INT(pthread_key_create(&after, drop_late), 0);
    atomic_store(&released, 0);
    pthread_key_t *keys[] = {NULL, &before, &after};
    for (int i = 0; i < 3; i++) {
        REQUIRE_INT(pthread_create(&thread, NULL, make_and_drop, keys[i]), 0);
        pthread_join(thread, NULL);
    }
    REQUIRE_INT(released, 6);
    pthread_key_delete(before);
    pthread_key_delete(after);
}

static void test_threads(void)
{
    pixview_owner *owner = NULL;
    pthread_t threads[THREADS];
    atomic_store(&released, 0);
    REQUIRE_OK(pixview_owner_create(&released, release, &owner, err));
    for (int i = 1; i < THREADS; i++)
        pixview_owner_ref(owner);
    for (int i = 0; i < THREADS; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, drop, owner), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    REQUIRE_INT(released, 1);
}

// Views of views: the chain is neither walked for its root nor recursed into at the release.
static void test_chain(void)
{
    enum { LENGTH = 300000 };
    pixview_owner *root = NULL, *end;
    atomic_store(&released, 0);
    REQUIRE_OK(pixview_owner_create(&released, release, &root, err));
    REQUIRE(pixviewi_owner_root(root) == root);
    end = root;
    for (int i = 0; i < LENGTH; i++) {
        pixview_owner *nested = pixviewi_owner_nested(end);
        REQUIRE(nested != NULL && pixviewi_owner_root(nested) == root);
        pixview_owner_unref(end);
        end = nested;
    }
    pixview_owner *side = pixviewi_owner_nested(end);
    pixview_owner_unref(end);
    REQUIRE_INT(released, 0);
    pixview_owner_unref(side);
    REQUIRE_INT(released, 1);
}

int main(void)
{
    test_count();
    test_refused();
    test_threads();
    test_end_of_thread();
    test_chain();
    return 0;
}
