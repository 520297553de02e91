// SPDX-License-Identifier: Apache-2.0
// Sixteen threads share images in slots: they convert, crop, stack, upload and drop them, and put new ones
// in their place, so that the last count is dropped by any of them. Each image is filled with one value,
// by which a reader sees memory that was released or written too early.
// usage: threads_stress [SECONDS]     without: a fixed, short run
#include <pthread.h>
#include <time.h>

#include "cuda/memory.h"
#include "cuda/stream.h"
#include "fake.h"
#include "host/host.h"

enum { THREADS = 16, SLOTS = 8, STEPS = 80, H = 24, W = 32, BYTES = H * W * 3 };

static struct slot {
    pthread_mutex_t lock;
    pixview_image image;
} slots[SLOTS];

static atomic_llong made, released, done;
static double end; // of a long run; 0: STEPS for each thread
static uint64_t streams[3];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void release(void *memory)
{
    memset(memory, 0xEE, BYTES);
    free(memory);
    atomic_fetch_add(&released, 1);
}

static pixview_image new_image(int value)
{
    pixview_owner *owner = NULL;
    void *memory = malloc(BYTES);
    REQUIRE(memory != NULL);
    memset(memory, value, BYTES);
    REQUIRE_OK(pixview_owner_create(memory, release, &owner, err));
    atomic_fetch_add(&made, 1);
    pixview_image image = make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(H, W, 3), NULL, U8, CPU);
    image.owner = owner;
    return image;
}

// A count of what is in a slot.
static pixview_image borrow(uint64_t *seed)
{
    struct slot *slot = &slots[next_random(seed) % SLOTS];
    pthread_mutex_lock(&slot->lock);
    pixview_image image = slot->image;
    pixview_owner_ref(image.owner);
    pthread_mutex_unlock(&slot->lock);
    return image;
}

static void replace(uint64_t *seed)
{
    struct slot *slot = &slots[next_random(seed) % SLOTS];
    pixview_image fresh = new_image((int)(next_random(seed) % 200));
    pthread_mutex_lock(&slot->lock);
    pixview_image old = slot->image;
    slot->image = fresh;
    pthread_mutex_unlock(&slot->lock);
    pixview_owner_unref(old.owner);
}

static void require_all(const uint8_t *bytes, int count, uint8_t value)
{
    for (int i = 0; i < count; i++)
        REQUIRE_INT(bytes[i], value);
}

static uint8_t value_of(const pixview_image *image) { return *(const uint8_t *)image->data; }

// To planes of float32.
static void convert(uint64_t *seed)
{
    static _Thread_local float out[BYTES];
    pixview_image src = borrow(seed);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_CHW, LIST(3, H, W), NULL, F32, CPU);
    REQUIRE_OK(pixview_convert(&src, &dst, NULL, err));
    for (int i = 0; i < BYTES; i++)
        REQUIRE(out[i] == value_of(&src));
    pixview_owner_unref(src.owner);
}

// A crop holds the whole through an owner of its own; the whole is dropped first.
static void crop(uint64_t *seed)
{
    static _Thread_local uint8_t out[BYTES / 4];
    pixview_image src = borrow(seed), part;
    REQUIRE_OK(pixview_image_crop(&src, 4, 8, H / 2, W / 2, &part, err));
    part.owner = pixviewi_owner_nested(src.owner);
    REQUIRE(part.owner != NULL);
    pixview_owner_unref(src.owner);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_CHW, LIST(3, H / 2, W / 2), NULL, U8, CPU);
    REQUIRE_OK(pixview_copy(&part, &dst, NULL, err));
    require_all(out, BYTES / 4, value_of(&part));
    pixview_owner_unref(part.owner);
}

static void stack(uint64_t *seed)
{
    static _Thread_local uint8_t out[4 * BYTES];
    pixview_image srcs[4];
    for (int i = 0; i < 4; i++)
        srcs[i] = borrow(seed);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_NCHW, LIST(4, 3, H, W), NULL, U8, CPU);
    REQUIRE_OK(pixview_stack(srcs, 4, &dst, NULL, err));
    for (int i = 0; i < 4; i++) {
        require_all(out + i * BYTES, BYTES, value_of(&srcs[i]));
        pixview_owner_unref(srcs[i].owner);
    }
}

// Up and down again, by memory whose last view is used on a stream that the memory's own waits for.
static void transfer(uint64_t *seed)
{
    static _Thread_local uint8_t out[BYTES];
    pixview_image src = borrow(seed);
    pixview_owner *owner = NULL;
    void *memory = NULL;
    REQUIRE_OK(pixviewi_cuda_alloc(0, BYTES, streams[0], &memory, &owner, err));
    pixview_copy_params params = {sizeof params, streams[0]};
    pixview_image gpu = make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(H, W, 3), NULL, U8, GPU0);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(H, W, 3), NULL, U8, CPU);
    REQUIRE_OK(pixview_copy(&src, &gpu, &params, err));
    pixviewi_stream_dep dep = {.consumer = streams[1 + next_random(seed) % 2], .home = streams[0]};
    REQUIRE(pixviewi_cuda_add_dep_take(owner, &dep));
    REQUIRE_OK(pixview_copy(&gpu, &dst, &params, err));
    require_all(out, BYTES, value_of(&src));
    pixview_owner_unref(owner);
    pixview_owner_unref(src.owner);
}

static void *work(void *number)
{
    static void (*const steps[])(uint64_t *) = {convert, crop, stack, transfer, replace};
    uint64_t seed = (uint64_t)(uintptr_t)number * 7919 + 1;
    for (int i = 0; end > 0 ? now() < end : i < STEPS; i++) {
        steps[next_random(&seed) % 5](&seed);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    use_fake_driver(1);
    pixviewi_host_hooks.threads = 3; // the pool takes part in these small copies too
    pixviewi_host_hooks.share = 1024;
    for (int i = 0; i < 3; i++)
        streams[i] = fake_stream(0);
    for (int i = 0; i < SLOTS; i++) {
        pthread_mutex_init(&slots[i].lock, NULL);
        slots[i].image = new_image(i);
    }
    double begin = now();
    end = argc > 1 ? begin + atof(argv[1]) : 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < SLOTS; i++)
        pixview_owner_unref(slots[i].image.owner);
    REQUIRE_INT(released, made);
    REQUIRE_INT(fake_live_blocks(), 0);
    REQUIRE_INT(pixviewi_deferred_owners, 0);
    printf("%lld steps, %lld images, %.3f thread-hours\n", (long long)done, (long long)made,
           (now() - begin) * THREADS / 3600);
    return 0;
}
