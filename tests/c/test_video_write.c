// SPDX-License-Identifier: Apache-2.0
// Video frames written from RGB: against formulas in double, and there and back.
#include "video_pictures.h"

// What the image is, 0 to 255.
static double values[3][MOST_H][MOST_W];

// The mean of what a sample stands for along one axis: positions and weights, in double.
static int mean_of(int64_t sample, int share, bool on_pixel, int64_t length, int64_t at[3],
                   double weight[3])
{
    int64_t first = sample * share, count = share == 1 ? 1 : on_pixel ? 3 : 2;
    for (int64_t k = 0; k < count; k++) {
        int64_t place = first + k - (count == 3);
        at[k] = place < 0 ? 0 : place > length - 1 ? length - 1 : place;
        weight[k] = count == 1 ? 1 : count == 2 ? 0.5 : k == 1 ? 0.5 : 0.25;
    }
    return (int)count;
}

static double mean_value(const picture *p, int part, int siting, int64_t y, int64_t x, int c)
{
    int64_t rows[3], columns[3];
    double of_row[3], of_column[3], sum = 0;
    bool chroma = part > 0;
    int h = mean_of(y, chroma ? p->is->y : 1, siting == PIXVIEW_VIDEO_SITING_TOP_LEFT, p->h, rows,
                    of_row);
    int w = mean_of(x, chroma ? p->is->x : 1, siting != PIXVIEW_VIDEO_SITING_CENTER, p->w, columns,
                    of_column);
    for (int i = 0; i < h; i++)
        for (int k = 0; k < w; k++)
            sum += of_row[i] * of_column[k] * values[c][rows[i]][columns[k]];
    return sum;
}

static double to_sample(const picture *p, int part, const double rgb[3])
{
    static const double opencv[3][3] = {
        {269484, 528482, 102760}, {-155188, -305135, 460324}, {460324, -385875, -74448}};
    double s = ldexp(1, p->is->bits - 8), most = ldexp(1, p->is->bits) - 1;
    bool full = p->frame.range == PIXVIEW_VIDEO_RANGE_FULL;
    double offset = part   ? 128 * s
                    : full ? 0
                           : 16 * s,
           all = full   ? most
                 : part ? 224 * s
                        : 219 * s;
    if (p->frame.matrix == PIXVIEW_VIDEO_MATRIX_OPENCV) {
        const double *c = opencv[part];
        return offset + s * (c[0] * rgb[0] + c[1] * rgb[1] + c[2] * rgb[2]) / 1048576;
    }
    int matrix = p->frame.matrix ? (int)p->frame.matrix : PIXVIEW_VIDEO_MATRIX_BT601;
    double kr = primaries[matrix][0], kb = primaries[matrix][1];
    double y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
    double of = part == 0   ? y
                : part == 1 ? (rgb[2] - y) / (2 * (1 - kb))
                            : (rgb[0] - y) / (2 * (1 - kr));
    return offset + all * of / 255;
}

// Into p->yuv what the frame should hold, and how often it does not.
static void compare_samples(picture *p, int siting, score *all)
{
    for (int part = 0; part < (is_gray(p->is) ? 1 : 3); part++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++) {
                double rgb[3], apart;
                int64_t down_y = part ? p->is->y : 1, down_x = part ? p->is->x : 1;
                for (int c = 0; c < 3; c++)
                    rgb[c] = mean_value(p, part, siting, y / down_y, x / down_x, c);
                double most = ldexp(1, p->is->bits) - 1;
                double wanted = rint(clip(to_sample(p, part, rgb), most));
                p->yuv[part][y][x] = (uint16_t)wanted;
                apart = fabs(wanted - get_sample(p, part, y, x));
                all->values++;
                all->differ += apart > 0;
                all->most = apart > all->most ? apart : all->most;
            }
}

static void fill_values(const picture *p, bool bytes, uint64_t *seed)
{
    double phase = next_random(seed) % 100;
    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++) {
                double value = bytes ? next_random(seed) % 256
                                     : 127 + 90 * sin(0.1 * (double)x + c + phase) +
                                           60 * cos(0.07 * (double)y * (c + 1));
                value = value < 0 ? 0 : value > 255 ? 255 : value;
                values[c][y][x] = bytes ? value : (double)(float)value;
            }
}

// As the channels of an image that is normalised like (value - 128) / 64, or as bytes.
static pixview_image image_of_values(const picture *p, bool bytes)
{
    bool bgr = p->frame.order == PIXVIEW_VIDEO_ORDER_BGR;
    pixview_image image =
        make_image(spare, PIXVIEW_LAYOUT_CHW, LIST(3, p->h, p->w), NULL, bytes ? U8 : F32, CPU);
    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++) {
                double value = values[bgr ? 2 - c : c][y][x];
                char *at = element(&image, (int64_t[]){0, y, x, c});
                float normal = (float)((value - 128) / 64);
                if (bytes)
                    *(uint8_t *)at = (uint8_t)value;
                else
                    memcpy(at, &normal, sizeof normal);
            }
    return image;
}

static void write_picture(picture *p, bool bytes, int siting)
{
    static const double mean = -128 / 64.0, std = 1 / 64.0;
    pixview_convert_params params = {.struct_size = sizeof params,
                                     .scale = 1,
                                     .mean = bytes ? NULL : &mean,
                                     .std = bytes ? NULL : &std,
                                     .channels = 1};
    pixview_image image = image_of_values(p, bytes);
    REQUIRE_OK(pixview_video_from_images(&image, &p->frame, 1, &params,
                                         (pixview_video_siting)siting, err));
}

// Every byte that is no sample of the frame is as it was; bits without a value are 0.
static void require_rest(const picture *p)
{
    memset(spare, 0, SIZE);
    for (int part = 0; part < (is_gray(p->is) ? 1 : 3); part++)
        for (int64_t y = 0; y < p->h; y++)
            for (int64_t x = 0; x < p->w; x++) {
                int64_t at = sample_of(p, part, y, x) - memory, item = p->is->bits == 8 ? 1 : 2;
                memset(spare + at, 1, (size_t)item);
                uint16_t sample;
                memcpy(&sample, memory + at, sizeof sample);
                REQUIRE(item == 1 || sample >> p->is->down << p->is->down == sample);
                REQUIRE(item == 1 || sample >> p->is->down < 1 << p->is->bits);
            }
    for (int64_t i = 0; i < SIZE; i++)
        if (!spare[i] && memory[i] != 0x5a)
            FAIL("%s: byte %d was written", p->is->name, (int)i);
}

static void test_written(void)
{
    static picture p;
    uint64_t seed = 9;
    static const double limits[] = {[8] = 0.0002, [10] = 0.0002, [12] = 0.0005, [16] = 0.006};
    for (int siting = 0; siting < 3; siting++)
        for (int bytes = 0; bytes < 2; bytes++) {
            score scores[17] = {{0, 0, 0}};
            for (int i = 0; i < 4 * LAYOUTS; i++) {
                int matrix = 1 + (int)(next_random(&seed) % MATRICES);
                int range =
                    matrix == PIXVIEW_VIDEO_MATRIX_OPENCV ? 1 : 1 + (int)(next_random(&seed) % 2);
                int64_t h = i % 7 == 0 ? 1 : 31 + i % 2, w = i % 5 == 0 ? 1 + i % 2 : 40 + i % 3;
                make_picture(&p, &layouts[i % LAYOUTS], h, w, &seed);
                describe(&p, is_gray(p.is) && i % 2 ? 0 : matrix, range, i % 2);
                fill_values(&p, bytes, &seed);
                memset(memory, 0x5a, SIZE);
                write_picture(&p, bytes, siting);
                require_rest(&p);
                compare_samples(&p, siting, &scores[p.is->bits]);
            }
            for (int bits = 8; bits <= 16; bits++) {
                const score *s = &scores[bits];
                double part = s->values ? (double)s->differ / (double)s->values : 0;
                if (s->most > 1 || (s->values && part > limits[bits]))
                    FAIL("siting %d, %d bits: %.4f %% differ, by %g", siting, bits, 100 * part,
                         s->most);
            }
        }
}

static double psnr(double squares, int64_t count)
{
    return 10 * log10(255.0 * 255 * (double)count / (squares + 1e-9));
}

// RGB to NV12 to RGB loses as much as in double.
static void test_round_trip(void)
{
    static picture p;
    uint64_t seed = 10;
    for (int matrix = 1; matrix <= MATRICES; matrix++)
        for (int range = 1; range <= (matrix == PIXVIEW_VIDEO_MATRIX_OPENCV ? 1 : 2); range++)
            for (int siting = 0; siting < 3; siting++) {
                score unused = {0, 0, 0};
                double mine = 0, wanted = 0;
                make_picture(&p, find("NV12"), 80, 90, &seed);
                describe(&p, matrix, range, 0);
                fill_values(&p, false, &seed);
                write_picture(&p, false, siting);
                compare_samples(&p, siting, &unused);
                convert(&p.frame, result, U8);
                for (int64_t y = 0; y < p.h; y++)
                    for (int64_t x = 0; x < p.w; x++) {
                        double rgb[3];
                        to_rgb(&p, y, x, rgb);
                        for (int c = 0; c < 3; c++) {
                            double value = values[c][y][x];
                            double got = result[(y * p.w + x) * 3 + c];
                            mine += (got - value) * (got - value);
                            double best = rint(clip(rgb[c], 255));
                            wanted += (best - value) * (best - value);
                        }
                    }
                mine = psnr(mine, 3 * p.h * p.w), wanted = psnr(wanted, 3 * p.h * p.w);
                if (fabs(mine - wanted) > 0.1 || mine < 30)
                    FAIL("matrix %d, range %d, siting %d: %.2f dB, in double %.2f", matrix, range,
                         siting, mine, wanted);
            }
}

// Two frames of two formats from one batch of 16-bit images, order BGR.
static void test_written_list(void)
{
    static picture p, q;
    uint64_t seed = 11;
    make_picture(&p, find("NV12"), 6, 8, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    pixview_video_frame frames[2] = {p.frame, p.frame};
    q = p;
    for (int i = 0; i < 2; i++) {
        frames[1].planes[i].data = other + p.offset[i];
        q.frame.planes[i].data = result + p.offset[i];
    }
    fill_random(spare, 2 * 3 * 6 * 8 * 2, 12);
    static const pixview_dtype f16 = {PIXVIEW_DTYPE_FLOAT, 16, 1};
    for (size_t i = 1; i < 2 * 3 * 6 * 8 * 2; i += 2)
        spare[i] &= 0x5b; // up to 255
    pixview_image batch = make_image(spare, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 6, 8), NULL, f16, CPU);
    pixview_image second =
        make_image(spare + 288, PIXVIEW_LAYOUT_NCHW, LIST(1, 3, 6, 8), NULL, f16, CPU);
    memset(other, 1, SIZE), memset(result, 1, SIZE);
    REQUIRE_OK(pixview_video_from_images(&batch, frames, 2, NULL, PIXVIEW_VIDEO_SITING_LEFT, err));
    REQUIRE_OK(
        pixview_video_from_images(&second, &q.frame, 1, NULL, PIXVIEW_VIDEO_SITING_LEFT, err));
    REQUIRE(memcmp(other, result, SIZE) == 0);
}

int main(void)
{
    test_written();
    test_round_trip();
    test_written_list();
    return 0;
}
