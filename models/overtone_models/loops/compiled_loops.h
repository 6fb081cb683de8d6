/* The loops themselves; compiled.c includes them once for each kind of processor. NAME tells these apart, LANES is how many
 * float32 numbers one of its registers holds. */

typedef float NAME(lanes) __attribute__((vector_size(4 * LANES)));
typedef int32_t NAME(whole) __attribute__((vector_size(4 * LANES)));
#define lanes NAME(lanes)
#define whole NAME(whole)

/* A complex transform of `size` points, in place, decimated in frequency by four (Cooley and Tukey, 1965). */
static inline void NAME(transform)(lanes *z, Py_ssize_t size, const float *w) {
    Py_ssize_t span = size;
    for (; span >= 4; span /= 4) {
        Py_ssize_t q = span / 4;
        for (Py_ssize_t start = 0; start < size; start += span) {
            const float *t = w;
            for (Py_ssize_t j = 0; j < q; j++, t += 6) {
                lanes *a = z + 2 * (start + j), *b = a + 2 * q, *c = b + 2 * q, *d = c + 2 * q;
                lanes sr = a[0] + c[0], si = a[1] + c[1], dr = a[0] - c[0], di = a[1] - c[1];
                lanes tr = b[0] + d[0], ti = b[1] + d[1], er = b[1] - d[1], ei = d[0] - b[0];
                lanes pr = dr + er, pi = di + ei, mr = sr - tr, mi = si - ti, nr = dr - er, ni = di - ei;
                a[0] = sr + tr;
                a[1] = si + ti;
                b[0] = pr * t[0] - pi * t[1];
                b[1] = pr * t[1] + pi * t[0];
                c[0] = mr * t[2] - mi * t[3];
                c[1] = mr * t[3] + mi * t[2];
                d[0] = nr * t[4] - ni * t[5];
                d[1] = nr * t[5] + ni * t[4];
            }
        }
        w += 6 * q;
    }
    if (span == 2) {
        for (Py_ssize_t start = 0; start < size; start += 2) {
            lanes *a = z + 2 * start, *b = a + 2;
            lanes dr = a[0] - b[0], di = a[1] - b[1];
            a[0] += b[0];
            a[1] += b[1];
            b[0] = dr;
            b[1] = di;
        }
    }
}

/* The natural logarithm of positive numbers: the exponent, and the series of artanh for what is left near 1. */
static inline lanes NAME(logarithm)(lanes x) {
    whole bits = (whole)x;
    whole exponent = (bits - 0x3f3504f3) >> 23;
    lanes m = (lanes)(bits - (exponent << 23));
    lanes s = (m - 1.0f) / (m + 1.0f), q = s * s;
    lanes series = ((q * (1.0f / 9.0f) + 1.0f / 7.0f) * q + 1.0f / 5.0f) * q + 1.0f / 3.0f;
    return __builtin_convertvector(exponent, lanes) * 0.693147181f + (2.0f * s + 2.0f * s * q * series);
}

static inline lanes NAME(at_least)(lanes x, float limit) {
    whole above = x > limit;
    return (lanes)((above & (whole)x) | (~above & (whole)((lanes){0} + limit)));
}

/* Decibels of up to LANES frames into self->decibels. */
static void NAME(hear)(const Frames *self, const float *samples, Py_ssize_t count) {
    Py_ssize_t fft = self->fft, half = fft / 2;
    lanes *z = self->sound, *power = self->power;
    for (Py_ssize_t frame = 0; frame < count; frame++) {
        const float *from = samples + frame * self->hop;
        for (Py_ssize_t n = 0; n < fft; n++) z[n][frame] = from[n] * self->window[n];
    }
    for (Py_ssize_t frame = count; frame < LANES; frame++)
        for (Py_ssize_t n = 0; n < fft; n++) z[n][frame] = 0.0f;
    NAME(transform)(z, half, self->twiddles);
    lanes low = (z[0] + z[1]) * 2.0f, high = (z[0] - z[1]) * 2.0f;
    power[0] = low * low;
    power[half] = high * high;
    for (Py_ssize_t k = 1; k <= half / 2; k++) {
        lanes *a = z + 2 * self->places[k], *b = z + 2 * self->places[half - k];
        float wr = self->turns[2 * k], wi = self->turns[2 * k + 1];
        lanes er = a[0] + b[0], ei = a[1] - b[1], or = a[1] + b[1], oi = b[0] - a[0];
        lanes tr = or * wr - oi * wi, ti = or * wi + oi * wr;
        lanes pr = er + tr, pi = ei + ti, mr = er - tr, mi = ei - ti;
        power[k] = pr * pr + pi * pi;
        power[half - k] = mr * mr + mi * mi;
    }
    const float *weight = self->weights;
    lanes *decibels = self->decibels;
    for (Py_ssize_t mel = 0; mel < self->mels; mel++) {
        lanes sum = {0};
        for (Py_ssize_t bin = self->first[mel]; bin < self->last[mel]; bin++) sum += power[bin] * *weight++;
        decibels[mel] = NAME(logarithm)(NAME(at_least)(sum, self->floor)) * 4.34294482f;
    }
}

static void NAME(to_decibels)(const Frames *self, float *out, Py_ssize_t count) {
    const lanes *decibels = self->decibels;
    for (Py_ssize_t frame = 0; frame < count; frame++)
        for (Py_ssize_t mel = 0; mel < self->mels; mel++) out[frame * self->mels + mel] = decibels[mel][frame];
}

static void NAME(to_cepstra)(const Frames *self, float *out, Py_ssize_t count) {
    Py_ssize_t width = self->cepstra, mels = self->mels;
    const lanes *decibels = self->decibels;
    for (Py_ssize_t k = 0; k < width; k += 8) {
        Py_ssize_t wide = width - k < 8 ? width - k : 8;
        lanes sums[8] = {{0}};
        for (Py_ssize_t mel = 0; mel < mels; mel++) {
            lanes value = decibels[mel];
            const float *row = self->dct + mel * width + k;
            if (wide == 8)
                for (int j = 0; j < 8; j++) sums[j] += value * row[j];
            else
                for (Py_ssize_t j = 0; j < wide; j++) sums[j] += value * row[j];
        }
        for (Py_ssize_t frame = 0; frame < count; frame++)
            for (Py_ssize_t j = 0; j < wide; j++) out[frame * width + k + j] = sums[j][frame];
    }
}

static void NAME(to_pcm)(const float *samples, int16_t *out, Py_ssize_t count) {
    for (Py_ssize_t n = 0; n < count; n++) {
        float value = samples[n] * 32767.0f;
        value = value > 32767.0f ? 32767.0f : value < -32768.0f ? -32768.0f : value;
        /* Rounds half to even: next to this number a float32 has no places behind the point. */
        out[n] = (int16_t)(int32_t)((value + 12582912.0f) - 12582912.0f);
    }
}

static void NAME(pool)(const float *hops, Py_ssize_t rows, Py_ssize_t width, float floor, float *out) {
    float *mean = out, *deviation = out + width;
    memset(out, 0, sizeof(float) * 2 * width);
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t n = 0; n < width; n++) mean[n] += hops[row * width + n];
    for (Py_ssize_t n = 0; n < width; n++) mean[n] /= rows;
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t n = 0; n < width; n++) {
            float centred = hops[row * width + n] - mean[n];
            deviation[n] += centred * centred;
        }
    for (Py_ssize_t n = 0; n < width; n++) deviation[n] = sqrtf(deviation[n] / rows + floor);
}

static const Loops NAME(loops) = {
    LANES, NAME(hear), NAME(to_decibels), NAME(to_cepstra), NAME(to_pcm), NAME(pool),
};

#undef lanes
#undef whole
#undef LANES
#undef NAME
