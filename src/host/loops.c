// SPDX-License-Identifier: Apache-2.0
// The loops of host copies, in plain C that compilers vectorise. Compiled once for every instruction
// set: meson.build names it in LOOPS and gives the flags. Those of video are in loops_video.c.
//
// Elements move by size, not by type, and need no alignment: a pixel of two uint8 may move as one
// uint16. A loop writes its elements and nothing beside them, and reads nothing before or behind.
#include <math.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "copy/filter.h"
#include "descriptor/half.h"
#include "host/host.h"
#include "host/loops.h"

typedef uint64_t __attribute__((may_alias, aligned(1))) unit_8;
typedef struct __attribute__((may_alias, packed)) {
    uint64_t parts[2];
} unit_16;
typedef struct __attribute__((may_alias, packed)) {
    uint8_t parts[3];
} unit_3;
typedef struct __attribute__((may_alias, packed)) {
    uint16_t parts[3];
} unit_6;
typedef struct __attribute__((may_alias, packed)) {
    uint32_t parts[3];
} unit_12;

// ---- rows, and stores past the cache ----------------------------------------------------------

#ifdef __AVX2__
// Of 64 bytes or more. Stores are aligned; the first and the last vector overlap their neighbours.
static void row(char *restrict dst, const char *restrict src, int64_t size)
{
    typedef char __attribute__((vector_size(32), may_alias)) aligned;
    typedef char __attribute__((vector_size(32), may_alias, aligned(1))) vector;
    enum { WIDTH = sizeof(vector) };
    *(vector *)dst = *(const vector *)src;
    int64_t at = WIDTH - (int64_t)((uintptr_t)dst % WIDTH);
    for (vector some[4]; at + 4 * WIDTH <= size; at += 4 * WIDTH) { // all loads before the stores
        for (int k = 0; k < 4; k++)
            some[k] = *(const vector *)(src + at + k * WIDTH);
        for (int k = 0; k < 4; k++)
            *(aligned *)(dst + at + k * WIDTH) = some[k];
    }
    for (; at + WIDTH <= size; at += WIDTH)
        *(aligned *)(dst + at) = *(const vector *)(src + at);
    *(vector *)(dst + size - WIDTH) = *(const vector *)(src + size - WIDTH);
}

// Stores of 16 bytes past the cache are slower than ordinary ones.
static void stream(char *restrict dst, const char *restrict src, int64_t size)
{
    for (int64_t at = 0; at < size; at += 32)
        _mm256_stream_si256((__m256i *)(void *)(dst + at),
                            *(const __m256i *)(const void *)(src + at));
}
static void store_fence(void) { _mm_sfence(); }
#endif

// ---- planar and interleaved -------------------------------------------------------------------

// `count` channels, each of which goes on by `in` elements in the source and by `out` in the destination: 1
// in planes. Of pixels src[0] or dst[0] is the first channel. All of it is constant once inlined.
#define DEFINE_CHANNELS(T)                                                               \
    static inline __attribute__((always_inline)) void channels_##T(                      \
        char *const *dst, int out, const char *const *src, int in, int count, bool swap, \
        int64_t n)                                                                       \
    {                                                                                    \
        T *a = (T *)dst[0], *b = out > 1 ? a + 1 : (T *)dst[1],                          \
          *c = out > 1 ? a + 2 : (T *)dst[2], *d = out > 1 ? a + 3 : (T *)dst[3];        \
        const T *first = (const T *)src[0], *f = in > 1 ? first + 1 : (const T *)src[1], \
                *third = in > 1 ? first + 2 : (const T *)src[2],                         \
                *h = in > 1 ? first + 3 : (const T *)src[3];                             \
        const T *e = swap ? third : first, *g = swap ? first : third;                    \
        APART for (int64_t i = 0; i < n; i++)                                            \
        {                                                                                \
            a[i * out] = e[i * in];                                                      \
            b[i * out] = f[i * in];                                                      \
            if (count > 2)                                                               \
                c[i * out] = g[i * in];                                                  \
            if (count > 3)                                                               \
                d[i * out] = h[i * in];                                                  \
        }                                                                                \
    }                                                                                    \
    DEFINE_LOOP(T, interleave2, 2, 1, 2, false)                                          \
    DEFINE_LOOP(T, interleave3, 3, 1, 3, false)                                          \
    DEFINE_LOOP(T, interleave4, 4, 1, 4, false)                                          \
    DEFINE_LOOP(T, split2, 1, 2, 2, false)                                               \
    DEFINE_LOOP(T, split3, 1, 3, 3, false)                                               \
    DEFINE_LOOP(T, split4, 1, 4, 4, false)                                               \
    DEFINE_LOOP(T, split3of4, 1, 4, 3, false)                                            \
    DEFINE_LOOP(T, drop4, 3, 4, 3, false)                                                \
    DEFINE_LOOP(T, swap3, 3, 3, 3, true)                                                 \
    DEFINE_LOOP(T, swap4, 4, 4, 4, true)
#define DEFINE_LOOP(T, name, out, in, count, swap)                              \
    static void name##_##T(char *const *dst, const char *const *src, int64_t n) \
    {                                                                           \
        channels_##T(dst, out, src, in, count, swap, n);                        \
    }

DEFINE_CHANNELS(unit_1)
DEFINE_CHANNELS(unit_2)
DEFINE_CHANNELS(unit_4)
DEFINE_CHANNELS(unit_8)
DEFINE_CHANNELS(unit_16)

// ---- any steps --------------------------------------------------------------------------------

// Elements with a step between them, to lie side by side: a vector at a time, whatever their size and the
// step are. Gives how many it has moved, from the first on. Three to a vector of 16 bytes at least, or two
// pixels of three elements: else one by one is faster. A vector begins at its lowest element and may read
// behind its highest, less than a step: so one more element must follow there. `last` leaves room for a whole
// vector's store, which is always one element more; backwards, the first one goes by itself.
#ifdef __AVX2__
static int64_t compress(char *restrict dst, const char *restrict src, int64_t step, int64_t size,
                        int64_t n)
{
    enum { WIDTH = 16 };
    int64_t apart = step < 0 ? -step : step;
    if (apart < size || size + apart > WIDTH || n < WIDTH)
        return 0;
    int64_t each = 1 + (WIDTH - size) / apart, low = step < 0 ? (each - 1) * step : 0;
    if (each < 3 && size % 3 != 0)
        return 0;
    char index[WIDTH] = {0};
    for (int64_t k = 0; k < each * size; k++)
        index[k] = (char)(k / size * step - low + k % size);
    __m128i shuffle = _mm_loadu_si128((const __m128i *)(const void *)index);
    int64_t last = n - (WIDTH + size - 1) / size, i = 0;
    if (step < 0)
        memcpy(dst, src, (size_t)size), i = 1;
    for (; i <= last; i += each) {
        __m128i some = _mm_loadu_si128((const __m128i *)(const void *)(src + i * step + low));
        _mm_storeu_si128((__m128i *)(void *)(dst + i * size), _mm_shuffle_epi8(some, shuffle));
    }
    return i;
}
#else
#define compress(dst, src, step, size, n) 0
#endif

// Steps that are known while compiling make other loops: a fill, a mirror, every second, third or
// fourth element. What is left goes four to a turn: a processor makes one turn a cycle.
#define EVERY(STEP)                         \
    if (step == (STEP)) {                   \
        for (int64_t i = 0; i < count; i++) \
            out[i] = in[(STEP) * i];        \
        return true;                        \
    }
#define DEFINE_STRIDED(T)                                                                     \
    static bool known_##T(T *restrict out, const T *restrict in, int64_t step, int64_t count) \
    {                                                                                         \
        EVERY(0)                                                                              \
        if (sizeof(T) > 4 || sizeof(T) == 3)                                                  \
            return false;                                                                     \
        EVERY(-1)                                                                             \
        EVERY(2)                                                                              \
        EVERY(3)                                                                              \
        EVERY(4)                                                                              \
        return false;                                                                         \
    }                                                                                         \
    static void strided_##T(char *restrict dst, int64_t dst_step, const char *restrict src,   \
                            int64_t src_step, int64_t n)                                      \
    {                                                                                         \
        const int64_t size = sizeof(T);                                                       \
        if (dst_step == size && src_step % size == 0 &&                                       \
            known_##T((T *)dst, (const T *)src, src_step / size, n))                          \
            return;                                                                           \
        int64_t done = dst_step == size ? compress(dst, src, src_step, size, n) : 0;          \
        dst += done * dst_step, src += done * src_step, n -= done;                            \
        for (; n >= 4; n -= 4, dst += 4 * dst_step, src += 4 * src_step) {                    \
            *(T *)dst = *(const T *)src;                                                      \
            *(T *)(dst + dst_step) = *(const T *)(src + src_step);                            \
            *(T *)(dst + 2 * dst_step) = *(const T *)(src + 2 * src_step);                    \
            *(T *)(dst + 3 * dst_step) = *(const T *)(src + 3 * src_step);                    \
        }                                                                                     \
        for (; n > 0; n--, dst += dst_step, src += src_step)                                  \
            *(T *)dst = *(const T *)src;                                                      \
    }

DEFINE_STRIDED(unit_1)
DEFINE_STRIDED(unit_2)
DEFINE_STRIDED(unit_4)
DEFINE_STRIDED(unit_8)
DEFINE_STRIDED(unit_16)
DEFINE_STRIDED(unit_3)
DEFINE_STRIDED(unit_6)
DEFINE_STRIDED(unit_12)

// ---- transpose --------------------------------------------------------------------------------

// Tiles of N x N in registers: log2(N) rounds that zip the first half of the rows with the second.
#ifdef __clang__
#define SHUFFLE(V, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(V, a, b, ...) __builtin_shuffle(a, b, (V){__VA_ARGS__})
#endif
#define LOW_2   0, 2
#define HIGH_2  1, 3
#define LOW_4   0, 4, 1, 5
#define HIGH_4  2, 6, 3, 7
#define LOW_8   0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8  4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

#define DEFINE_TILE(T, N)                                                                      \
    typedef T lanes_##T##_##N __attribute__((vector_size(sizeof(T) * (N))));                   \
    static inline __attribute__((always_inline)) void tile_##T##_##N(                          \
        char *dst, int64_t dst_step, const char *src, int64_t src_step)                        \
    {                                                                                          \
        lanes_##T##_##N rows[N], zipped[N];                                                    \
        for (int i = 0; i < (N); i++)                                                          \
            memcpy(&rows[i], src + i * src_step, sizeof rows[i]);                              \
        for (int round = 1; round < (N); round *= 2) {                                         \
            for (int i = 0; i < (N) / 2; i++) {                                                \
                zipped[2 * i] = SHUFFLE(lanes_##T##_##N, rows[i], rows[i + (N) / 2], LOW_##N); \
                zipped[2 * i + 1] =                                                            \
                    SHUFFLE(lanes_##T##_##N, rows[i], rows[i + (N) / 2], HIGH_##N);            \
            }                                                                                  \
            for (int i = 0; i < (N); i++)                                                      \
                rows[i] = zipped[i];                                                           \
        }                                                                                      \
        for (int i = 0; i < (N); i++)                                                          \
            memcpy(dst + i * dst_step, &rows[i], sizeof rows[i]);                              \
    }

DEFINE_TILE(uint8_t, 8)
DEFINE_TILE(uint8_t, 16)
DEFINE_TILE(uint16_t, 4)
DEFINE_TILE(uint16_t, 8)
DEFINE_TILE(uint32_t, 4)
DEFINE_TILE(uint64_t, 2)

// A strip of `width` columns, one cache line of the source, goes down all rows before the next.
#define DEFINE_TRANSPOSE(T, UNIT, N)                                                             \
    static void corner_##T##_##N(char *dst, int64_t dst_step, const char *src, int64_t src_step, \
                                 int64_t xs, int64_t ys)                                         \
    {                                                                                            \
        for (int64_t x = 0; x < xs; x++)                                                         \
            for (int64_t y = 0; y < ys; y++)                                                     \
                ((UNIT *)(dst + x * dst_step))[y] = ((const UNIT *)(src + y * src_step))[x];     \
    }                                                                                            \
    static void strip_##T##_##N(char *dst, int64_t dst_step, const char *src, int64_t src_step,  \
                                int64_t xs, int64_t ys)                                          \
    {                                                                                            \
        const int64_t size = sizeof(T), whole = xs - xs % (N);                                   \
        int64_t y = 0;                                                                           \
        for (; y + (N) <= ys; y += (N)) {                                                        \
            for (int64_t x = 0; x < whole; x += (N))                                             \
                tile_##T##_##N(dst + x * dst_step + y * size, dst_step,                          \
                               src + y * src_step + x * size, src_step);                         \
            corner_##T##_##N(dst + whole * dst_step + y * size, dst_step,                        \
                             src + y * src_step + whole * size, src_step, xs - whole, N);        \
        }                                                                                        \
        corner_##T##_##N(dst + y * size, dst_step, src + y * src_step, src_step, xs, ys - y);    \
    }                                                                                            \
    static void transpose_##T##_##N(char *dst, int64_t dst_step, const char *src,                \
                                    int64_t src_step, int64_t xs, int64_t ys)                    \
    {                                                                                            \
        const int64_t size = sizeof(T), width = 64 / size;                                       \
        for (int64_t x = 0; x < xs; x += width)                                                  \
            strip_##T##_##N(dst + x * dst_step, dst_step, src + x * size, src_step,              \
                            xs - x < width ? xs - x : width, ys);                                \
    }

DEFINE_TRANSPOSE(uint8_t, unit_1, 8)
DEFINE_TRANSPOSE(uint8_t, unit_1, 16)
DEFINE_TRANSPOSE(uint16_t, unit_2, 4)
DEFINE_TRANSPOSE(uint16_t, unit_2, 8)
DEFINE_TRANSPOSE(uint32_t, unit_4, 4)
DEFINE_TRANSPOSE(uint64_t, unit_8, 2)

static void transpose_1(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t xs,
                        int64_t ys)
{
    if (xs < 16 || ys < 16)
        transpose_uint8_t_8(dst, dst_step, src, src_step, xs, ys);
    else
        transpose_uint8_t_16(dst, dst_step, src, src_step, xs, ys);
}

static void transpose_2(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t xs,
                        int64_t ys)
{
    if (xs < 8 || ys < 8)
        transpose_uint16_t_4(dst, dst_step, src, src_step, xs, ys);
    else
        transpose_uint16_t_8(dst, dst_step, src, src_step, xs, ys);
}

// ---- values -----------------------------------------------------------------------------------

// Adding 1.5 * 2^23 leaves the nearest whole number, ties to even, in the lowest bits.
static inline uint8_t to_u8(float value)
{
    float low = value > 0 ? value : 0; // NaN: 0
    return (uint8_t)pixviewi_float_to_bits((low < 255 ? low : 255) + 0x1.8p23f);
}

static inline float as_is(float value) { return value; }

// One fused multiply-add, rounded once.
#define DEFINE_TO_FLOAT(name, T, load)                                        \
    static void name(float *out, const char *in, float a, float b, int64_t n) \
    {                                                                         \
        APART for (int64_t i = 0; i < n; i++)                                 \
        {                                                                     \
            out[i] = __builtin_fmaf(load(((const T *)in)[i]), a, b);          \
        }                                                                     \
    }
#define DEFINE_FROM_FLOAT(name, T, store)                                       \
    static void name(char *out, const float *in, int64_t n)                     \
    {                                                                           \
        APART for (int64_t i = 0; i < n; i++) { ((T *)out)[i] = store(in[i]); } \
    }

typedef int8_t __attribute__((may_alias)) alias_i8;
typedef int16_t __attribute__((may_alias)) alias_i16;
typedef int32_t __attribute__((may_alias)) alias_i32;
typedef float __attribute__((may_alias)) alias_f32;
DEFINE_TO_FLOAT(u8_to_float, unit_1, (float))
DEFINE_TO_FLOAT(i8_to_float, alias_i8, (float))
DEFINE_TO_FLOAT(u16_to_float, unit_2, (float))
DEFINE_TO_FLOAT(i16_to_float, alias_i16, (float))
DEFINE_TO_FLOAT(i32_to_float, alias_i32, (float))
DEFINE_TO_FLOAT(f16_to_float, unit_2, pixviewi_f16_to_float)
DEFINE_TO_FLOAT(bf16_to_float, unit_2, pixviewi_bf16_to_float)
DEFINE_TO_FLOAT(f32_to_float, alias_f32, as_is)
DEFINE_FROM_FLOAT(float_to_u8, unit_1, to_u8)
DEFINE_FROM_FLOAT(float_to_f16, unit_2, pixviewi_f16_from_float)
DEFINE_FROM_FLOAT(float_to_bf16, unit_2, pixviewi_bf16_from_float)

// ---- resizing ---------------------------------------------------------------------------------

// cv2's sums (kernels/geometry.h): a and b together are 2048.
static void mix_rows(char *out, const int16_t *above, const int16_t *below, int a, int b,
                     int64_t count)
{
    int64_t i = 0;
#ifdef __AVX2__
    const __m256i first = _mm256_set1_epi16((int16_t)a), second = _mm256_set1_epi16((int16_t)b);
    const __m256i two = _mm256_set1_epi16(2);
    for (; i + 32 <= count; i += 32) {
        __m256i sums[2];
        for (int k = 0; k < 2; k++) {
            __m256i p = _mm256_loadu_si256((const __m256i *)(const void *)(above + i + 16 * k));
            __m256i q = _mm256_loadu_si256((const __m256i *)(const void *)(below + i + 16 * k));
            __m256i sum =
                _mm256_add_epi16(_mm256_mulhi_epi16(p, first), _mm256_mulhi_epi16(q, second));
            sums[k] = _mm256_srai_epi16(_mm256_add_epi16(sum, two), 2);
        }
        __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(sums[0], sums[1]), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(out + i), bytes);
    }
#endif
    for (; i < count; i++)
        ((unit_1 *)out)[i] = (unit_1)((((a * above[i]) >> 16) + ((b * below[i]) >> 16) + 2) >> 2);
}

#ifdef __AVX2__
// Eight sums of two bytes each, `pairs` of 16 bits.
static inline void store_mixed(int16_t *out, __m256i pairs, __m256i weights)
{
    __m256i sums = _mm256_srai_epi32(_mm256_madd_epi16(pairs, weights), 4);
    sums = _mm256_permute4x64_epi64(_mm256_packs_epi32(sums, sums), 0xd8);
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(sums));
}

static inline __m256i load_vector(const void *at) { return _mm256_loadu_si256(at); }
static inline __m128i load_16(const void *at) { return _mm_loadu_si128(at); }

static void mix_columns1(int16_t *out, int64_t plane, const char *row, const char *next,
                         const int32_t *places, const int32_t *weights, int64_t count)
{
    const __m256i first = _mm256_set1_epi32(0xff), second = _mm256_set1_epi32(0xff0000);
    (void)plane;
    for (int64_t i = 0; i < count; i += 8) {
        __builtin_prefetch(next + places[i]);
        __m256i both =
            _mm256_i32gather_epi32((const int *)(const void *)row, load_vector(places + i), 1);
        __m256i pairs = _mm256_or_si256(_mm256_and_si256(both, first),
                                        _mm256_and_si256(_mm256_slli_epi32(both, 8), second));
        store_mixed(out + i, pairs, load_vector(weights + i));
    }
}

// Eight bytes at each of places 0, 1, 4 and 5.
static inline __m256i load_four(const char *row, const int32_t *places)
{
    static const int order[] = {0, 1, 4, 5};
    int64_t bytes[4];
    for (int k = 0; k < 4; k++)
        bytes[k] = (int64_t)*(const unit_8 *)(row + places[order[k]]);
    return _mm256_set_epi64x(bytes[3], bytes[2], bytes[1], bytes[0]);
}

// Pairs of bytes of pixels of 3 or 4 channels and their neighbours, at eight places: of 16 bits, by channel.
static inline void load_pairs(__m256i pairs[4], int channels, const char *row,
                              const int32_t *places)
{
    const __m128i three = _mm_setr_epi8(0, 3, 8, 11, 1, 4, 9, 12, 2, 5, 10, 13, 0, 0, 0, 0);
    const __m128i four = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i order = _mm256_broadcastsi128_si256(channels == 3 ? three : four);
    const __m256i zero = _mm256_setzero_si256();
    __m256i even = _mm256_shuffle_epi8(load_four(row, places), order);
    __m256i odd = _mm256_shuffle_epi8(load_four(row, places + 2), order);
    __m256i low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd);
    pairs[0] = _mm256_unpacklo_epi8(low, zero);
    pairs[1] = _mm256_unpackhi_epi8(low, zero);
    pairs[2] = _mm256_unpacklo_epi8(high, zero);
    pairs[3] = _mm256_unpackhi_epi8(high, zero);
}

#define DEFINE_MIX_COLUMNS(N)                                                                  \
    static void mix_columns##N(int16_t *out, int64_t plane, const char *row, const char *next, \
                               const int32_t *places, const int32_t *weights, int64_t count)   \
    {                                                                                          \
        for (int64_t i = 0; i < count; i += 8) {                                               \
            __m256i pairs[4], both = load_vector(weights + i);                                 \
            __builtin_prefetch(next + places[i]);                                              \
            __builtin_prefetch(next + places[i + 4]);                                          \
            load_pairs(pairs, N, row, places + i);                                             \
            for (int64_t c = 0; c < (N); c++)                                                  \
                store_mixed(out + c * plane + i, pairs[c], both);                              \
        }                                                                                      \
    }
DEFINE_MIX_COLUMNS(3)
DEFINE_MIX_COLUMNS(4)
#endif

// ---- Pillow's filters -------------------------------------------------------------------------

#ifdef __AVX2__
typedef struct split_sums {
    __m256i low, high;
} split_sums;

static inline void add_products(split_sums *sums, __m256i bytes, __m256i low, __m256i high)
{
    sums->low = _mm256_add_epi32(sums->low, _mm256_madd_epi16(bytes, low));
    sums->high = _mm256_add_epi32(sums->high, _mm256_madd_epi16(bytes, high));
}

static inline __m256i join_sums(const split_sums *sums)
{
    return _mm256_add_epi32(sums->low, _mm256_slli_epi32(sums->high, 16));
}

static inline void store_bytes(uint8_t *out, const split_sums *sums)
{
    __m256i sum = _mm256_add_epi32(join_sums(sums), _mm256_set1_epi32(PIXVIEWI_FILTER_HALF));
    sum = _mm256_srai_epi32(sum, 22);
    sum = _mm256_permute4x64_epi64(_mm256_packs_epi32(sum, sum), 0xd8);
    _mm_storel_epi64((__m128i *)(void *)out, _mm256_castsi256_si128(_mm256_packus_epi16(sum, sum)));
}

#define DEFINE_FILTER_COLUMNS(N)                                                                \
    static void filter_columns##N(uint8_t *out, int64_t plane, const char *row,                 \
                                  const int32_t *places, const int32_t *weights, int64_t pairs, \
                                  int64_t count)                                                \
    {                                                                                           \
        for (int64_t i = 0; i < count; i += 8) {                                                \
            split_sums sums[4] = {{_mm256_setzero_si256(), _mm256_setzero_si256()}};            \
            sums[1] = sums[2] = sums[3] = sums[0];                                              \
            for (int64_t k = 0; k < pairs; k++, weights += 16) {                                \
                __m256i bytes[4];                                                               \
                load_pairs(bytes, N, row + 2 * (N) * k, places + i);                            \
                for (int c = 0; c < (N); c++)                                                   \
                    add_products(&sums[c], bytes[c], load_vector(weights),                      \
                                 load_vector(weights + 8));                                     \
            }                                                                                   \
            for (int64_t c = 0; c < (N); c++)                                                   \
                store_bytes(out + c * plane + i, &sums[c]);                                     \
        }                                                                                       \
    }
DEFINE_FILTER_COLUMNS(3)
DEFINE_FILTER_COLUMNS(4)
#endif

static void add_rows(int32_t *sums, const char *const *rows, const int32_t *weights, int64_t taps,
                     int64_t count)
{
    int64_t i = 0;
#ifdef __AVX2__
    for (; i + 16 <= count; i += 16) {
        split_sums split[2] = {{load_vector(sums + i), _mm256_setzero_si256()},
                               {load_vector(sums + i + 8), _mm256_setzero_si256()}};
        for (int64_t k = 0; k < taps; k += 2) {
            bool two = k + 1 < taps;
            int32_t a = weights[k], b = two ? weights[k + 1] : 0;
            __m256i low = _mm256_set1_epi32(pixviewi_low_halves(a, b));
            __m256i high = _mm256_set1_epi32(pixviewi_high_halves(a, b));
            __m128i first = load_16(rows[k] + i), second = load_16(rows[two ? k + 1 : k] + i);
            add_products(&split[0], _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(first, second)), low,
                         high);
            add_products(&split[1], _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(first, second)), low,
                         high);
        }
        for (int k = 0; k < 2; k++)
            _mm256_storeu_si256((__m256i *)(void *)(sums + i + 8 * k), join_sums(&split[k]));
    }
#endif
    for (int64_t k = 0; k < taps; k++) {
        const unit_1 *row = (const unit_1 *)rows[k];
        APART for (int64_t j = i; j < count; j++) { sums[j] += weights[k] * row[j]; }
    }
}

static void clip_sums(char *out, const int32_t *sums, int64_t count)
{
    APART for (int64_t i = 0; i < count; i++)
    {
        int32_t value = sums[i] >> 22;
        value = value < 0 ? 0 : value;
        ((unit_1 *)out)[i] = (unit_1)(value > 255 ? 255 : value);
    }
}

// ---- table ------------------------------------------------------------------------------------

#define FIVE(name) {name##_unit_1, name##_unit_2, name##_unit_4, name##_unit_8, name##_unit_16}

const pixviewi_loops LOOPS = {
    .name = LOOPS_NAME,
    .video = &VIDEO_LOOPS,
    .interleave = {FIVE(interleave2), FIVE(interleave3), FIVE(interleave4)},
    .split = {FIVE(split2), FIVE(split3), FIVE(split4)},
    .split3of4 = FIVE(split3of4),
    .drop4 = FIVE(drop4),
    .swap = {FIVE(swap3), FIVE(swap4)},
    .transpose = {transpose_1, transpose_2, transpose_uint32_t_4, transpose_uint64_t_2},
    .strided = {strided_unit_1, strided_unit_2, strided_unit_4, strided_unit_8, strided_unit_16,
                strided_unit_3, strided_unit_6, strided_unit_12},
#ifdef __AVX2__
    .row = row,
    .stream = stream,
    .store_fence = store_fence,
    .mix_columns = {mix_columns1, mix_columns3, mix_columns4},
    .filter_columns = {filter_columns3, filter_columns4},
#endif
    .mix_rows = mix_rows,
    .add_rows = add_rows,
    .clip_sums = clip_sums,
    .to_float = {u8_to_float, i8_to_float, u16_to_float, i16_to_float, i32_to_float, f16_to_float,
                 bf16_to_float, f32_to_float},
    .from_float = {float_to_u8, float_to_f16, float_to_bf16},
};
