// SPDX-License-Identifier: Apache-2.0
// The loops of video frames: samples to RGB in planes, and back. Compiled like loops.c, once for every
// instruction set: meson.build names the table in VIDEO_LOOPS.
//
// Samples are 16 bits on the way, whatever they are in memory, so that every format takes the same loops.
#include <math.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "copy/filter.h"
#include "descriptor/half.h"
#include "host/host.h"
#include "host/loops.h"

// ---- samples ----------------------------------------------------------------------------------

// Steps that are known while compiling make other loops: planes, pairs, and groups of four.
#define LOAD_STEP(STEP)                                                      \
    if (step == (STEP) * size) {                                             \
        APART for (int64_t i = 0; i < count; i++)                            \
        {                                                                    \
            out[i] = (uint16_t)(((const T *)in)[(STEP) * i] >> down & most); \
        }                                                                    \
        return;                                                              \
    }
#define DEFINE_LOAD(name, UNIT)                                                               \
    static void name(uint16_t *out, const char *in, int64_t step, int32_t down, int32_t most, \
                     int64_t count)                                                           \
    {                                                                                         \
        typedef UNIT T;                                                                       \
        const int64_t size = sizeof(T);                                                       \
        LOAD_STEP(1)                                                                          \
        LOAD_STEP(2)                                                                          \
        LOAD_STEP(4)                                                                          \
        for (int64_t i = 0; i < count; i++)                                                   \
            out[i] = (uint16_t)(*(const T *)(in + i * step) >> down & most);                  \
    }
DEFINE_LOAD(load_1, unit_1)
DEFINE_LOAD(load_2, unit_2)

// What takes turns, both at once: the first is in the low half of a pair.
#define DEFINE_LOAD_PAIRS(name, PAIR)                                                    \
    static void name(uint16_t *first, uint16_t *second, const char *in, int32_t down,    \
                     int32_t most, int64_t count)                                        \
    {                                                                                    \
        const int half = 4 * sizeof(PAIR);                                               \
        APART for (int64_t i = 0; i < count; i++)                                        \
        {                                                                                \
            PAIR both = ((const PAIR *)in)[i];                                           \
            first[i] = (uint16_t)((both & ((1u << half) - 1)) >> down & (uint32_t)most); \
            second[i] = (uint16_t)((uint32_t)both >> half >> down & (uint32_t)most);     \
        }                                                                                \
    }
DEFINE_LOAD_PAIRS(load_pairs_1, unit_2)
DEFINE_LOAD_PAIRS(load_pairs_2, unit_4)

#define DEFINE_STORE(name, pairs, UNIT)                                                        \
    static void name(char *out, int64_t step, const uint16_t *in, int64_t count)               \
    {                                                                                          \
        typedef UNIT T;                                                                        \
        if (step == (int64_t)sizeof(T)) {                                                      \
            APART for (int64_t i = 0; i < count; i++) { ((T *)out)[i] = (T)in[i]; }            \
            return;                                                                            \
        }                                                                                      \
        for (int64_t i = 0; i < count; i++)                                                    \
            *(T *)(out + i * step) = (T)in[i];                                                 \
    }                                                                                          \
    static void pairs(char *out, const uint16_t *first, const uint16_t *second, int64_t count) \
    {                                                                                          \
        typedef UNIT T;                                                                        \
        T *to = (T *)out;                                                                      \
        APART for (int64_t i = 0; i < count; i++)                                              \
        {                                                                                      \
            to[2 * i] = (T)first[i];                                                           \
            to[2 * i + 1] = (T)second[i];                                                      \
        }                                                                                      \
    }
DEFINE_STORE(store_1, store_pairs_1, unit_1)
DEFINE_STORE(store_2, store_pairs_2, unit_2)

// ---- to RGB -----------------------------------------------------------------------------------
//
// Always in the order R, G, B: pixviewi_colour_sums without its bgr.

typedef struct chroma {
    int32_t r, g, b; // what U and V add
} chroma;

static inline chroma chroma_of(const pixviewi_colour *c, int32_t u, int32_t v)
{
    u -= c->c_offset;
    v -= c->c_offset;
    return (chroma){v * c->v_r, u * c->u_g + v * c->v_g, u * c->u_b};
}

static inline int32_t luma_of(const pixviewi_colour *c, int32_t y)
{
    y -= c->y_offset;
    return (y < c->y_least ? c->y_least : y) * c->y;
}

// From pixel `i` on; two of them share one U and V, or none.
#define DEFINE_COLOURS(name, T, finish, SHARE)                                          \
    static void name(char *const rgb[3], const uint16_t *const yuv[3],                  \
                     const pixviewi_colour *colour, int64_t i, int64_t count)           \
    {                                                                                   \
        const pixviewi_colour c = *colour;                                              \
        T *r = (T *)(void *)rgb[0], *g = (T *)(void *)rgb[1], *b = (T *)(void *)rgb[2]; \
        const uint16_t *y = yuv[0], *u = yuv[1], *v = yuv[2];                           \
        APART for (int64_t k = i / (SHARE); k < count / (SHARE); k++)                   \
        {                                                                               \
            chroma add = chroma_of(&c, u[k], v[k]);                                     \
            for (int j = 0; j < (SHARE); j++) {                                         \
                int32_t luma = luma_of(&c, y[k * (SHARE) + j]);                         \
                r[k * (SHARE) + j] = (T)finish(luma + add.r);                           \
                g[k * (SHARE) + j] = (T)finish(luma + add.g);                           \
                b[k * (SHARE) + j] = (T)finish(luma + add.b);                           \
            }                                                                           \
        }                                                                               \
        for (i = count - count % (SHARE); i < count; i++) {                             \
            chroma add = chroma_of(&c, u[i / (SHARE)], v[i / (SHARE)]);                 \
            int32_t luma = luma_of(&c, y[i]);                                           \
            r[i] = (T)finish(luma + add.r);                                             \
            g[i] = (T)finish(luma + add.g);                                             \
            b[i] = (T)finish(luma + add.b);                                             \
        }                                                                               \
    }
typedef float __attribute__((may_alias)) alias_float;
DEFINE_COLOURS(bytes_from, unit_1, pixviewi_colour_byte, 1)
DEFINE_COLOURS(pair_bytes_from, unit_1, pixviewi_colour_byte, 2)
DEFINE_COLOURS(floats_from, alias_float, pixviewi_colour_float, 1)
DEFINE_COLOURS(pair_floats_from, alias_float, pixviewi_colour_float, 2)

static void bytes(char *const rgb[3], const uint16_t *const yuv[3], const pixviewi_colour *colour,
                  int64_t count)
{
    bytes_from(rgb, yuv, colour, 0, count);
}

static void floats(char *const rgb[3], const uint16_t *const yuv[3], const pixviewi_colour *colour,
                   int64_t count)
{
    floats_from(rgb, yuv, colour, 0, count);
}

static void pair_floats(char *const rgb[3], const uint16_t *const yuv[3],
                        const pixviewi_colour *colour, int64_t count)
{
    pair_floats_from(rgb, yuv, colour, 0, count);
}

#ifdef __AVX2__
// Of 32 bits each. Even and odd pixels are apart, so that one chroma sum goes to both, and the upper halves of their
// sums become pixels in their order again.
static inline __m256i spread(int32_t value) { return _mm256_set1_epi32(value); }

static inline __m256i times(__m256i values, int32_t factor)
{
    return _mm256_mullo_epi32(values, spread(factor));
}

static inline __m256i load_eight(const uint16_t *from)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline __m256i sixteen(__m256i even, __m256i odd, __m256i add)
{
    __m256i low = _mm256_srli_epi32(_mm256_add_epi32(even, add), 16);
    __m256i both = _mm256_blend_epi16(low, _mm256_add_epi32(odd, add), 0xaa);
    return _mm256_srai_epi16(both, PIXVIEWI_COLOUR_BITS - 16);
}

// Offsets and the half of the rounding are one constant for each channel: sums of 32 bits may wrap on the way.
static inline void sixteen_pixels(const pixviewi_colour *c, const uint16_t *const yuv[3], int64_t i,
                                  __m256i rgb[3])
{
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(yuv[0] + i));
    __m256i u = load_eight(yuv[1] + i / 2), v = load_eight(yuv[2] + i / 2);
    y = _mm256_max_epu16(y, _mm256_set1_epi16((int16_t)(c->y_offset + c->y_least)));
    __m256i even = times(_mm256_and_si256(y, spread(0xffff)), c->y);
    __m256i odd = times(_mm256_srli_epi32(y, 16), c->y);
    int32_t all = (1 << (PIXVIEWI_COLOUR_BITS - 1)) - c->y_offset * c->y;
    __m256i r = _mm256_add_epi32(times(v, c->v_r), spread(all - c->c_offset * c->v_r));
    __m256i g = _mm256_add_epi32(times(u, c->u_g), times(v, c->v_g));
    g = _mm256_add_epi32(g, spread(all - c->c_offset * (c->u_g + c->v_g)));
    __m256i b = _mm256_add_epi32(times(u, c->u_b), spread(all - c->c_offset * c->u_b));
    rgb[0] = sixteen(even, odd, r);
    rgb[1] = sixteen(even, odd, g);
    rgb[2] = sixteen(even, odd, b);
}

static inline void store_packed(char *out, __m256i first, __m256i second)
{
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(first, second), 0xd8);
    _mm256_storeu_si256((__m256i *)(void *)out, packed);
}

static void pair_bytes(char *const rgb[3], const uint16_t *const yuv[3],
                       const pixviewi_colour *colour, int64_t count)
{
    const pixviewi_colour c = *colour;
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i first[3], second[3];
        sixteen_pixels(&c, yuv, i, first);
        sixteen_pixels(&c, yuv, i + 16, second);
        for (int channel = 0; channel < 3; channel++)
            store_packed(rgb[channel] + i, first[channel], second[channel]);
    }
    pair_bytes_from(rgb, yuv, colour, i, count);
}
#else
static void pair_bytes(char *const rgb[3], const uint16_t *const yuv[3],
                       const pixviewi_colour *colour, int64_t count)
{
    pair_bytes_from(rgb, yuv, colour, 0, count);
}
#endif

// Floats between two columns that are neighbours; what has no weight counts for nothing.
static void mix_columns(float *out, const char *row, const int32_t *places, const float *weights,
                        int64_t count)
{
    const float *in = (const float *)(const void *)row;
    APART for (int64_t i = 0; i < count; i++)
    {
        float first = in[places[i]], mixed;
        mixed = __builtin_fmaf(weights[i], in[places[i] + 1] - first, first);
        out[i] = weights[i] == 0 ? first : mixed;
    }
}

// Three planes at a time, so that each weight is read once. Sums are short: vectors of weights are slower, and the
// empty statement says that there shall be none.
#define DEFINE_SUMS(name, T, Weight, Sum, Out, begin, add, finish)                   \
    static void name(Out *out, const char *const rows[3], const pixviewi_taps *taps, \
                     int64_t origin, int64_t count)                                  \
    {                                                                                \
        for (int64_t i = 0; i < count; i++) {                                        \
            const Weight *weights = (const Weight *)taps->weights + i * taps->most;  \
            int64_t first = taps->first[i] - origin, n = taps->count[i];             \
            const T *r = (const T *)(const void *)rows[0] + first;                   \
            const T *g = (const T *)(const void *)rows[1] + first;                   \
            const T *b = (const T *)(const void *)rows[2] + first;                   \
            Sum x = begin, y = begin, z = begin;                                     \
            for (int64_t k = 0; k < n; k++) {                                        \
                x = add(weights[k], r[k], x);                                        \
                y = add(weights[k], g[k], y);                                        \
                z = add(weights[k], b[k], z);                                        \
                __asm__("" : "+r"(k));                                               \
            }                                                                        \
            out[i] = finish(x);                                                      \
            out[count + i] = finish(y);                                              \
            out[2 * count + i] = finish(z);                                          \
        }                                                                            \
    }
#define ADD_FIXED(weight, value, sum) ((sum) + (weight) * (value))
#define ADD_FLOAT(weight, value, sum) __builtin_fmaf(weight, (float)(value), sum)
#define AS_IS(sum)                    (sum)
DEFINE_SUMS(pillow, unit_1, int32_t, int32_t, uint8_t, PIXVIEWI_FILTER_HALF, ADD_FIXED,
            pixviewi_filter_byte)
DEFINE_SUMS(area_of_bytes, unit_1, float, float, float, 0, ADD_FLOAT, AS_IS)
DEFINE_SUMS(area_of_floats, alias_float, float, float, float, 0, ADD_FLOAT, AS_IS)

// ---- and back ---------------------------------------------------------------------------------

// What enters is clipped by every loop that reads it: cheaper than a pass of its own, and twice is once. `bytes` is
// constant once inlined.
static inline float clipped(float value)
{
    float low = value > 0 ? value : 0; // NaN: 0
    return low < 255 ? low : 255;
}

static inline float value_at(const char *from, int64_t i, bool bytes)
{
    return bytes ? (float)((const unit_1 *)from)[i]
                 : clipped(((const alias_float *)(const void *)from)[i]);
}

#ifdef __AVX2__
// The same: of a NaN, and of two zeros, maxps gives the second.
static inline __m256 clip_eight(__m256 value, float most)
{
    return _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(most));
}

static inline __m256 floats_of(__m128i sixteen_bits)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sixteen_bits));
}

static inline __m256 load_values(const char *from, int64_t i, bool bytes)
{
    if (!bytes)
        return clip_eight(_mm256_loadu_ps((const float *)(const void *)from + i), 255);
    __m128i some = _mm_loadl_epi64((const __m128i *)(const void *)(from + i));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(some));
}

static inline __m256i encode_eight(const char *const rgb[3], int64_t i, const pixviewi_weights *w,
                                   int32_t most, bool bytes)
{
    __m256 value = _mm256_set1_ps(w->offset);
    for (int c = 2; c >= 0; c--)
        value = _mm256_fmadd_ps(_mm256_set1_ps(w->of[c]), load_values(rgb[c], i, bytes), value);
    return _mm256_cvtps_epi32(clip_eight(value, (float)most));
}

static inline int64_t encode_many(uint16_t *out, const char *const rgb[3],
                                  const pixviewi_weights *weights, int32_t most, int32_t down,
                                  bool bytes, int64_t count)
{
    const pixviewi_weights w = *weights;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256i packed = _mm256_packus_epi32(encode_eight(rgb, i, &w, most, bytes),
                                             encode_eight(rgb, i + 8, &w, most, bytes));
        packed = _mm256_sll_epi16(_mm256_permute4x64_epi64(packed, 0xd8), _mm_cvtsi32_si128(down));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), packed);
    }
    return i;
}

// Every second of sixteen, from the first on or the second, in the order that both have: 0 2 8 10, 4 6 12 14.
#define EVEN(a, b) _mm256_shuffle_ps(a, b, 0x88)
#define ODD(a, b)  _mm256_shuffle_ps(a, b, 0xdd)

static inline void store_in_order(float *out, __m256 some)
{
    __m256d ordered = _mm256_permute4x64_pd(_mm256_castps_pd(some), 0xd8);
    _mm256_storeu_ps(out, _mm256_castpd_ps(ordered));
}

// Eight means at a time; `on` is constant once inlined.
static inline int64_t halve_floats(float *out, const char *in, bool on, int64_t count)
{
    const __m256 half = _mm256_set1_ps(0.5f), quarter = _mm256_set1_ps(0.25f);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 a = load_values(in, 2 * i, false), b = load_values(in, 2 * i + 8, false);
        __m256 first = EVEN(a, b), second = ODD(a, b);
        if (!on) {
            store_in_order(out + i, _mm256_fmadd_ps(half, second, _mm256_mul_ps(half, first)));
            continue;
        }
        __m256 c = load_values(in, 2 * i - 1, false), d = load_values(in, 2 * i + 7, false);
        __m256 sum = _mm256_fmadd_ps(half, first, _mm256_mul_ps(quarter, EVEN(c, d)));
        store_in_order(out + i, _mm256_fmadd_ps(quarter, second, sum));
    }
    return i;
}

static inline __m256i load_bytes(const char *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

// Sixteen means of bytes: their sums are whole, so that nothing is rounded.
static inline int64_t halve_bytes(float *out, const char *in, bool on, int64_t count)
{
    const __m256i low = _mm256_set1_epi16(0xff);
    const __m256 part = _mm256_set1_ps(on ? 0.25f : 0.5f);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256i some = load_bytes(in + 2 * i), first = _mm256_and_si256(some, low);
        __m256i sum = _mm256_add_epi16(first, _mm256_srli_epi16(some, 8));
        if (on) {
            __m256i left = _mm256_and_si256(load_bytes(in + 2 * i - 1), low);
            sum = _mm256_add_epi16(_mm256_add_epi16(sum, first), left);
        }
        __m256 a = floats_of(_mm256_castsi256_si128(sum));
        __m256 b = floats_of(_mm256_extracti128_si256(sum, 1));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(a, part));
        _mm256_storeu_ps(out + i + 8, _mm256_mul_ps(b, part));
    }
    return i;
}
#else
#define encode_many(out, rgb, weights, most, down, bytes, count) 0
#define halve_floats(out, in, on, count)                         0
#define halve_bytes(out, in, on, count)                          0
#endif

// As pixviewi_encode. Adding 1.5 * 2^23 leaves the nearest whole number, ties to even, in the lowest bits.
static inline void encode(uint16_t *out, const char *const rgb[3], const pixviewi_weights *weights,
                          int32_t most, int32_t down, bool bytes, int64_t count)
{
    const pixviewi_weights w = *weights;
    const float limit = (float)most;
    int64_t i = encode_many(out, rgb, weights, most, down, bytes, count);
    APART for (; i < count; i++)
    {
        float value = __builtin_fmaf(w.of[2], value_at(rgb[2], i, bytes), w.offset);
        value = __builtin_fmaf(w.of[1], value_at(rgb[1], i, bytes), value);
        value = __builtin_fmaf(w.of[0], value_at(rgb[0], i, bytes), value);
        value = value > 0 ? value : 0;
        value = value < limit ? value : limit;
        out[i] = (uint16_t)(pixviewi_float_to_bits(value + 0x1.8p23f) << down);
    }
}

// Of pixels 2 * i and what is beside. One behind the last pair is read.
static inline void halve(float *out, const char *in, bool on, bool bytes, int64_t count)
{
    int64_t i = bytes ? halve_bytes(out, in, on, count) : halve_floats(out, in, on, count);
    APART for (; i < count; i++)
    {
        float first = value_at(in, 2 * i, bytes), second = value_at(in, 2 * i + 1, bytes);
        float sum = 0.5f * first;
        if (on)
            sum = __builtin_fmaf(0.5f, first, 0.25f * value_at(in, 2 * i - 1, bytes));
        out[i] = __builtin_fmaf(on ? 0.25f : 0.5f, second, sum);
    }
}

#define DEFINE_WRITES(kind, bytes)                                                         \
    static void encode_##kind(uint16_t *out, const char *const rgb[3],                     \
                              const pixviewi_weights *weights, int32_t most, int32_t down, \
                              int64_t count)                                               \
    {                                                                                      \
        encode(out, rgb, weights, most, down, bytes, count);                               \
    }                                                                                      \
    static void halve_##kind(float *out, const char *in, int64_t count)                    \
    {                                                                                      \
        halve(out, in, false, bytes, count);                                               \
    }                                                                                      \
    static void halve_##kind##_on(float *out, const char *in, int64_t count)               \
    {                                                                                      \
        halve(out, in, true, bytes, count);                                                \
    }
DEFINE_WRITES(float, false)
DEFINE_WRITES(byte, true)

static void add_line(float *sums, const float *line, float weight, int64_t count)
{
    APART for (int64_t i = 0; i < count; i++)
    {
        sums[i] = __builtin_fmaf(weight, line[i], sums[i]);
    }
}

const pixviewi_video_loops VIDEO_LOOPS = {
    .load = {load_1, load_2},
    .load_pairs = {load_pairs_1, load_pairs_2},
    .store = {store_1, store_2},
    .store_pairs = {store_pairs_1, store_pairs_2},
    .bytes = {bytes, pair_bytes},
    .floats = {floats, pair_floats},
    .mix_columns = mix_columns,
    .pillow = pillow,
    .area = {area_of_bytes, area_of_floats},
    .encode = {encode_float, encode_byte},
    .halve = {{halve_float, halve_float_on}, {halve_byte, halve_byte_on}},
    .add_line = add_line,
};
