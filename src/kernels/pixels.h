// Short rows between pixels of three or four channels and planes, elements of 1 and 2 bytes: bits only,
// axes sorted and merged as for copy.h. The source is read by words, since single bytes are too many
// loads and too many instructions.
//
// Grid:       flat in x; planes: a thread for as many pixels as a vector of each plane has, all planes
//             of them; pixels: a thread for each vector of the destination.
// Alignment:  the elements'. Vectors begin where the destination is aligned for them: the first and last
//             ones of a row are partial.
// Traffic:    aligned words of 8 bytes that have a byte of the row at least and end before the source
//             does, single elements at its end; written in vectors of 8 or 16 bytes, the partial ones
//             in pieces.
#include "copy.h"
#include "words.h"

namespace
{

// A vector of a run of elements, aligned in the destination. What of it is outside the run stays
// untouched.
template <typename T, int FORM> struct word_vector {
    static constexpr int SIZE = sizeof(T), BYTES = PIXVIEWI_ROW_BYTES(SIZE, FORM);
    static constexpr int COUNT = BYTES / SIZE, HALVES = BYTES / 4;

    uint32_t halves[HALVES]; // of words
    int first;               // its first element in the run
    int low, high;           // elements of it that are the run's
    char *to;

    // Number `inner` of the run; `at` would be its address if the run began aligned.
    DEVICE void place(const pixviewi_copy_args &args, char *at, int inner)
    {
        int shift = (int)((uint32_t)(uintptr_t)at / SIZE % COUNT), run = (int)args.run;
        first = inner * COUNT - shift;
        to = at - shift * SIZE;
        low = first < 0 ? -first : 0;
        high = run - first < COUNT ? run - first : COUNT;
        if (args.apart && low < high)
            fetch_cut<SIZE>(to, first, COUNT, run);
    }
    // One element at a time: element j lies STEP elements behind element j - EACH, and the first EACH
    // where `of` says.
    template <int EACH, int STEP> DEVICE void load_every(const char *const *of)
    {
#pragma unroll
        for (int i = 0; i < HALVES; i++)
            halves[i] = 0;
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            if (j >= low && j < high)
                halves[j * SIZE / 4] |= (uint32_t)load<T>(of[j % EACH] + j / EACH * STEP * SIZE)
                                        << shift_of(j);
    }
    DEVICE void store_in() const
    {
        if constexpr (BYTES == 16)
            if (low == 0 && high == COUNT) {
                store(to, uint4{halves[0], halves[1], halves[2], halves[3]});
                return;
            }
#pragma unroll
        for (int i = 0; i < BYTES / WORD; i++)
            store_part(to + WORD * i, (uint64_t)halves[2 * i + 1] << 32 | halves[2 * i],
                       low * SIZE - WORD * i, high * SIZE - WORD * i);
    }
    // The bytes from start to end of a word, in as few pieces as their alignment lets.
    DEVICE static void store_part(char *out, uint64_t word, int start, int end)
    {
        start = start < 0 ? 0 : start;
        end = end > WORD ? WORD : end;
        if (start == 0 && end == WORD) {
            store(out, uint2{(uint32_t)word, (uint32_t)(word >> 32)});
            return;
        }
        if (SIZE == 1 && start % 2 == 1 && start < end)
            store_piece<uint8_t>(out, word, &start);
        if (start % 4 == 2 && start + 2 <= end)
            store_piece<uint16_t>(out, word, &start);
        if (start + 4 <= end)
            store_piece<uint32_t>(out, word, &start);
        if (start + 2 <= end)
            store_piece<uint16_t>(out, word, &start);
        if (SIZE == 1 && start < end)
            store_piece<uint8_t>(out, word, &start);
    }
    template <typename Piece> DEVICE static void store_piece(char *out, uint64_t word, int *start)
    {
        store(out + *start, (Piece)(word >> 8 * *start));
        *start += sizeof(Piece);
    }
    DEVICE static int shift_of(int j) { return 8 * SIZE * (j % (4 / SIZE)); }
};

// Some bytes of a source out of words: from `start` to `end`, which are counted from `from`.
struct word_range {
    const char *words; // the one that `from` is in
    int shift;         // where in it
    int start, end;    // counted from `words`

    DEVICE word_range() {}
    DEVICE word_range(const char *from, int first, int last)
        : words(from - (uintptr_t)from % WORD), shift((int)((uintptr_t)from % WORD)),
          start(first + shift), end(first < last ? last + shift : 0)
    {
    }
    // Does the last word of it end before the source does?
    DEVICE bool is_inside(const pixviewi_copy_args &args) const
    {
        return words + (end + WORD - 1) / WORD * WORD <= args.end;
    }
    template <int WORDS, int NEAR> DEVICE void load_near(uint32_t *near) const
    {
        uint32_t in[2 * WORDS];
#pragma unroll
        for (int i = 0; i < WORDS; i++) {
            uint2 word = {0, 0};
            if (WORD * (i + 1) > start && WORD * i < end)
                word = load<uint2>(words + WORD * i);
            in[2 * i] = word.x, in[2 * i + 1] = word.y;
        }
        shift_halves<NEAR, 2 * WORDS>(in, shift, near);
    }
};

// ---- planes ---------------------------------------------------------------------------------------

// Elements of pixels that are PLANES apart.
template <int PLANES, typename Vector>
DEVICE void load_plane(const pixviewi_copy_args &args, const char *from, Vector &vector)
{
    constexpr int SIZE = Vector::SIZE, RANGE = (Vector::COUNT - 1) * PLANES * SIZE + SIZE;
    constexpr int WORDS = (RANGE - 1) / WORD + 2, NEAR = (RANGE + 3) / 4;
    word_range range(from, vector.low * PLANES * SIZE, (vector.high - 1) * PLANES * SIZE + SIZE);
    if (range.is_inside(args)) {
        uint32_t near[NEAR];
        range.load_near<WORDS, NEAR>(near);
        pick<SIZE, PLANES, Vector::HALVES>(near, vector.halves);
    } else {
        vector.template load_every<1, PLANES>(&from);
    }
}

template <typename T, int FORM, int PLANES>
DEVICE void split_pixels(const pixviewi_copy_args &args, const offsets &at)
{
    const char *from = (const char *)args.src + at.src;
    char *to = (char *)args.dst + at.dst;
#pragma unroll
    for (int p = 0; p < PLANES; p++) {
        word_vector<T, FORM> vector;
        vector.place(args, to, (int)at.inner);
        load_plane<PLANES>(args, from + (int64_t)vector.first * PLANES * vector.SIZE, vector);
        vector.store_in();
        from += vector.SIZE, to += args.plane;
    }
}

template <typename T, int FORM>
DEVICE void copy_planes(const pixviewi_copy_args &args, int block, int thread)
{
    uint32_t index;
    if (!find_vector(args, block, thread, &index))
        return;
    offsets at = locate_vector<PIXVIEWI_ROW_BYTES(sizeof(T), FORM)>(args, index);
    if (FORM == PIXVIEWI_WIDE_PLANES || args.planes == 3)
        split_pixels<T, FORM, 3>(args, at);
    else
        split_pixels<T, FORM, 4>(args, at);
}

// ---- pixels ---------------------------------------------------------------------------------------

// `vector` begins in this channel, of which `from` is. Each plane has some elements of it side by side.
template <int PLANES, typename Vector>
DEVICE void load_planes(const pixviewi_copy_args &args, const char *from, uint32_t channel,
                        Vector &vector)
{
    constexpr int SIZE = Vector::SIZE, EACH = (Vector::COUNT + PLANES - 1) / PLANES * SIZE;
    constexpr int NEAR = (EACH + 3) / 4;
    const char *of[PLANES];
    word_range ranges[PLANES];
    bool inside = true;
#pragma unroll
    for (int k = 0; k < PLANES; k++) {
        bool next = channel + k >= PLANES; // pixel
        uint32_t start = (uint32_t)(vector.low - k + PLANES - 1) / PLANES;
        uint32_t end = vector.high > k ? (uint32_t)(vector.high - k + PLANES - 1) / PLANES : 0;
        of[k] = from + k * args.step + (next ? args.row - PLANES * args.step : 0);
        ranges[k] = word_range(of[k], (int)start * SIZE, (int)end * SIZE);
        inside = inside && ranges[k].is_inside(args);
    }
    if (!inside) {
        vector.template load_every<PLANES, 1>(of);
        return;
    }
    uint32_t near[PLANES][NEAR];
#pragma unroll
    for (int k = 0; k < PLANES; k++)
        ranges[k].template load_near<2, NEAR>(near[k]);
    interleave<SIZE, PLANES, Vector::HALVES>(near, vector.halves);
}

template <typename T, int FORM>
DEVICE void copy_pixels(const pixviewi_copy_args &args, int block, int thread)
{
    uint32_t index;
    if (!find_vector(args, block, thread, &index))
        return;
    offsets at = locate_vector<PIXVIEWI_ROW_BYTES(sizeof(T), FORM)>(args, index);
    word_vector<T, FORM> vector;
    vector.place(args, (char *)args.dst + at.dst, (int)at.inner);
    uint32_t e = (uint32_t)vector.first + args.back * args.columns;
    uint32_t row = pixviewi_divide(e, args.by_columns), channel = e - row * args.columns;
    const char *from = (const char *)args.src + at.src + ((int64_t)row - args.back) * args.row +
                       channel * args.step;
    if (args.columns == 3)
        load_planes<3>(args, from, channel, vector);
    else
        load_planes<4>(args, from, channel, vector);
    vector.store_in();
}

} // namespace
