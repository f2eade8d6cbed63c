#include "data/canvas.h"

#include <math.h>
#include <string.h>

/* Coordinates in 16.16 fixed point, as Pillow's nearest-neighbour transform has them. */
enum { FRACTION = 16 };

static int64_t fixed(double x)
{
    return (int64_t)floor(x * 65536.0 + 0.5);
}

/* Output pixel (x, y) is input pixel (a[0] x + a[1] y + a[2], a[3] x + a[4] y + a[5]), pixels' centres at halves. */
static void transform(hni_canvas *c, const double *a, uint8_t fill)
{
    int64_t row_x = fixed(a[2] + a[0] * 0.5 + a[1] * 0.5), row_y = fixed(a[5] + a[3] * 0.5 + a[4] * 0.5);
    int64_t step[4] = {fixed(a[0]), fixed(a[3]), fixed(a[1]), fixed(a[4])};
    uint8_t *out = c->spare;
    memset(out, fill, (size_t)hni_canvas_bytes(c));
    for (int64_t y = 0; y < c->height; ++y, row_x += step[2], row_y += step[3]) {
        int64_t from_x = row_x, from_y = row_y;
        for (int64_t x = 0; x < c->width; ++x, out += c->channels, from_x += step[0], from_y += step[1]) {
            int64_t ix = from_x >> FRACTION, iy = from_y >> FRACTION;
            if (ix < 0 || ix >= c->width || iy < 0 || iy >= c->height)
                continue;
            const uint8_t *in = c->pixels + (iy * c->width + ix) * c->channels;
            for (int64_t k = 0; k < c->channels; ++k)
                out[k] = in[k];
        }
    }
    hni_canvas_swap(c);
}

void hni_canvas_shear_x(hni_canvas *c, double amount, uint8_t fill)
{
    const double a[6] = {1, amount, 0, 0, 1, 0};
    transform(c, a, fill);
}

void hni_canvas_shear_y(hni_canvas *c, double amount, uint8_t fill)
{
    const double a[6] = {1, 0, 0, amount, 1, 0};
    transform(c, a, fill);
}

void hni_canvas_translate(hni_canvas *c, int64_t right, int64_t down, uint8_t fill)
{
    int64_t row = c->width * c->channels, shift = right * c->channels;
    int64_t keep = row - (shift < 0 ? -shift : shift);
    memset(c->spare, fill, (size_t)hni_canvas_bytes(c));
    for (int64_t y = 0; y < c->height && keep > 0; ++y) {
        int64_t from = y - down;
        if (from >= 0 && from < c->height)
            memcpy(c->spare + y * row + (shift > 0 ? shift : 0), c->pixels + from * row + (shift < 0 ? -shift : 0),
                   (size_t)keep);
    }
    hni_canvas_swap(c);
}

void hni_canvas_rotate(hni_canvas *c, double degrees, uint8_t fill)
{
    static const double pi = 3.14159265358979323846, digits = 1e15; /* Pillow rounds to so many digits */
    double angle = -degrees * (pi / 180), cosine = rint(cos(angle) * digits) / digits;
    double sine = rint(sin(angle) * digits) / digits;
    double x = (double)c->width / 2, y = (double)c->height / 2;
    const double a[6] = {cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y};
    transform(c, a, fill);
}

void hni_canvas_cutout(hni_canvas *c, int64_t y, int64_t x, int64_t side)
{
    int64_t half = side / 2, top = y - half, bottom = y + half, left = x - half, right = x + half;
    top = top < 0 ? 0 : top;
    left = left < 0 ? 0 : left;
    bottom = bottom > c->height ? c->height : bottom;
    right = right > c->width ? c->width : right;
    for (int64_t r = top; r < bottom && right > left; ++r)
        memset(c->pixels + (r * c->width + left) * c->channels, 0, (size_t)((right - left) * c->channels));
}
