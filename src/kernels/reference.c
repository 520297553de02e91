// Plain C of every kernel: the specification that tests compare the kernels with, and what host
// memory runs on.
//
// A copy walks the plan row by row. Rows that are dense on both ends are memcpy; 3 and 4 channels
// that change between interleaved and planar, by far the commonest reorder, have loops of their own
// that the compiler vectorises; the rest moves element by element.
#include <string.h>

#include "internal.h"

// Function multi-versioning needs ifunc, whose resolvers run before a sanitizer is ready.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "sse4.2", "default"), optimize("O3")))
#else
#define WIDE
#endif

// Memory that somebody else filled as another type.
typedef uint8_t __attribute__((may_alias)) move_1;
typedef uint16_t __attribute__((may_alias)) move_2;
typedef uint32_t __attribute__((may_alias)) move_4;
typedef uint64_t __attribute__((may_alias)) move_8;
typedef struct __attribute__((may_alias)) move_16 {
    uint64_t low, high; // complex128 is only aligned to 8
} move_16;

#define DEFINE_MOVES(T)                                                                           \
    static void strided_##T(char *dst, int64_t dst_step, const char *src, int64_t src_step,       \
                            int64_t count)                                                        \
    {                                                                                             \
        for (int64_t i = 0; i < count; i++)                                                       \
            *(T *)(dst + i * dst_step) = *(const T *)(src + i * src_step);                        \
    }                                                                                             \
    WIDE static void interleave3_##T(T *restrict dst, const T *restrict a, const T *restrict b,   \
                                     const T *restrict c, int64_t count)                          \
    {                                                                                             \
        for (int64_t i = 0; i < count; i++) {                                                     \
            dst[3 * i] = a[i];                                                                    \
            dst[3 * i + 1] = b[i];                                                                \
            dst[3 * i + 2] = c[i];                                                                \
        }                                                                                         \
    }                                                                                             \
    WIDE static void interleave4_##T(T *restrict dst, const T *restrict a, const T *restrict b,   \
                                     const T *restrict c, const T *restrict d, int64_t count)     \
    {                                                                                             \
        for (int64_t i = 0; i < count; i++) {                                                     \
            dst[4 * i] = a[i];                                                                    \
            dst[4 * i + 1] = b[i];                                                                \
            dst[4 * i + 2] = c[i];                                                                \
            dst[4 * i + 3] = d[i];                                                                \
        }                                                                                         \
    }                                                                                             \
    WIDE static void split3_##T(T *restrict a, T *restrict b, T *restrict c,                      \
                                const T *restrict src, int64_t count)                             \
    {                                                                                             \
        for (int64_t i = 0; i < count; i++) {                                                     \
            a[i] = src[3 * i];                                                                    \
            b[i] = src[3 * i + 1];                                                                \
            c[i] = src[3 * i + 2];                                                                \
        }                                                                                         \
    }                                                                                             \
    WIDE static void split4_##T(T *restrict a, T *restrict b, T *restrict c, T *restrict d,       \
                                const T *restrict src, int64_t count)                             \
    {                                                                                             \
        for (int64_t i = 0; i < count; i++) {                                                     \
            a[i] = src[4 * i];                                                                    \
            b[i] = src[4 * i + 1];                                                                \
            c[i] = src[4 * i + 2];                                                                \
            d[i] = src[4 * i + 3];                                                                \
        }                                                                                         \
    }                                                                                             \
    /* planes[k] are `plane` bytes apart */                                                       \
    static void interleave_##T(char *dst, const char *src, int64_t plane, int channels,           \
                               int64_t count)                                                     \
    {                                                                                             \
        const T *a = (const T *)src, *b = (const T *)(src + plane),                               \
                *c = (const T *)(src + 2 * plane);                                                \
        if (channels == 3)                                                                        \
            interleave3_##T((T *)dst, a, b, c, count);                                            \
        else                                                                                      \
            interleave4_##T((T *)dst, a, b, c, (const T *)(src + 3 * plane), count);              \
    }                                                                                             \
    static void split_##T(char *dst, int64_t plane, const char *src, int channels, int64_t count) \
    {                                                                                             \
        T *a = (T *)dst, *b = (T *)(dst + plane), *c = (T *)(dst + 2 * plane);                    \
        if (channels == 3)                                                                        \
            split3_##T(a, b, c, (const T *)src, count);                                           \
        else                                                                                      \
            split4_##T(a, b, c, (T *)(dst + 3 * plane), (const T *)src, count);                   \
    }

DEFINE_MOVES(move_1)
DEFINE_MOVES(move_2)
DEFINE_MOVES(move_4)
DEFINE_MOVES(move_8)
DEFINE_MOVES(move_16)

typedef struct moves {
    void (*strided)(char *, int64_t, const char *, int64_t, int64_t);
    void (*interleave)(char *, const char *, int64_t, int, int64_t);
    void (*split)(char *, int64_t, const char *, int, int64_t);
} moves;

static const moves *moves_of(int64_t itemsize)
{
    static const moves table[] = {
        {strided_move_1, interleave_move_1, split_move_1},
        {strided_move_2, interleave_move_2, split_move_2},
        {strided_move_4, interleave_move_4, split_move_4},
        {strided_move_8, interleave_move_8, split_move_8},
        {strided_move_16, interleave_move_16, split_move_16},
    };
    return &table[__builtin_ctzll((unsigned long long)itemsize)];
}

static void copy_row(const pixviewi_copy_plan *plan, const moves *move, char *dst, const char *src)
{
    if (plan->src_strides[3] == plan->itemsize && plan->dst_strides[3] == plan->itemsize)
        memcpy(dst, src, (size_t)(plan->shape[3] * plan->itemsize));
    else
        move->strided(dst, plan->dst_strides[3], src, plan->src_strides[3], plan->shape[3]);
}

typedef enum order { ORDER_PLAIN, ORDER_INTERLEAVE, ORDER_SPLIT } order;

// Axes 2 and 3 as seen by the loops for channels. Which axis holds the channels of a split (1 or 2)
// goes to *channels.
static order classify(const pixviewi_copy_plan *plan, int *channels)
{
    const int64_t *shape = plan->shape, *src = plan->src_strides, *dst = plan->dst_strides;
    int64_t itemsize = plan->itemsize;
    *channels = 3;
    if ((shape[3] == 3 || shape[3] == 4) && dst[3] == itemsize && dst[2] == shape[3] * itemsize &&
        src[2] == itemsize)
        return ORDER_INTERLEAVE;
    for (int axis = 2; axis >= 0; axis--) {
        *channels = axis;
        if ((shape[axis] == 3 || shape[axis] == 4) && dst[3] == itemsize &&
            src[3] == shape[axis] * itemsize && src[axis] == itemsize)
            return ORDER_SPLIT;
    }
    return ORDER_PLAIN;
}

void pixviewi_copy_reference(const pixviewi_copy_plan *plan)
{
    if (plan->count == 0)
        return;
    const moves *move = moves_of(plan->itemsize);
    int channels;
    order how = classify(plan, &channels);
    int64_t shape[3] = {plan->shape[0], plan->shape[1], plan->shape[2]};
    if (how == ORDER_INTERLEAVE)
        shape[2] = 1; // a row of pixels at once
    else if (how == ORDER_SPLIT)
        shape[channels] = 1; // all channels at once
    for (int64_t i = 0; i < shape[0]; i++)
        for (int64_t j = 0; j < shape[1]; j++)
            for (int64_t k = 0; k < shape[2]; k++) {
                const char *src = (const char *)plan->src + i * plan->src_strides[0] +
                                  j * plan->src_strides[1] + k * plan->src_strides[2];
                char *dst = (char *)plan->dst + i * plan->dst_strides[0] +
                            j * plan->dst_strides[1] + k * plan->dst_strides[2];
                if (how == ORDER_INTERLEAVE)
                    move->interleave(dst, src, plan->src_strides[3], (int)plan->shape[3],
                                     plan->shape[2]);
                else if (how == ORDER_SPLIT)
                    move->split(dst, plan->dst_strides[channels], src, (int)plan->shape[channels],
                                plan->shape[3]);
                else
                    copy_row(plan, move, dst, src);
            }
}
