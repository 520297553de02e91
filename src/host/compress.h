// Elements with a step between them, a vector at a time, whatever their size and the step are. Each of
// the two gives how many it has moved, from the first on; the rest is for an ordinary loop.
//
// Included by loops.c alone, for one instruction set after the other.
#ifndef PIXVIEWI_HOST_APART_H
#define PIXVIEWI_HOST_APART_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

// Any bytes of a vector anywhere. Where no such instruction is, loops that want it are slow.
#if defined(__AVX2__) || defined(__aarch64__)
enum { SHUFFLES = 1 };
#else
enum { SHUFFLES = 0 };
#endif

// To lie side by side. Three to a vector of 16 bytes at least, or two pixels of three elements: else
// one by one is faster. A vector begins at its lowest element and may read behind its highest, less than
// a step: so one more element must follow there. `last` leaves room for a whole vector's store, which is
// always one element more; backwards, the first one goes by itself.
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

// From side by side, by stores that leave out what lies between.
#ifdef __AVX512VBMI__
static int64_t expand(char *restrict dst, int64_t step, const char *restrict src, int64_t size,
                      int64_t n)
{
    enum { WIDTH = 32 };
    if (step <= size || step + size > WIDTH || n < 2 * WIDTH)
        return 0;
    char index[WIDTH] = {0};
    uint32_t mask = 0;
    int64_t each = 1 + (WIDTH - size) / step, i = 0;
    for (int64_t k = 0; k < each * size; k++) {
        int64_t at = k / size * step + k % size;
        index[at] = (char)k;
        mask |= (uint32_t)1 << at;
    }
    __m256i shuffle = _mm256_loadu_si256((const __m256i *)(const void *)index);
    for (; (n - i) * size >= WIDTH; i += each) {
        __m256i some = _mm256_loadu_si256((const __m256i *)(const void *)(src + i * size));
        _mm256_mask_storeu_epi8(dst + i * step, mask, _mm256_permutexvar_epi8(shuffle, some));
    }
    return i;
}
#else
#define expand(dst, step, src, size, n) 0
#endif

#endif
