/* The inner loops of listening: samples to cepstra, samples to 16 bits, hops to their mean and deviation.
 *
 * Several frames are computed side by side, one in each lane of a vector, and no lane looks at another: a frame's numbers
 * are the same to the bit whatever stands beside it. plain.py does the same with numpy where this is not built.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    Py_ssize_t fft, hop, mels, cepstra;
    float floor;
    void *memory;      /* holds all that follows, in this order */
    void *sound;       /* fft vectors: samples, then their transform */
    void *power;       /* fft / 2 + 1 vectors */
    void *decibels;    /* mels vectors */
    float *window;     /* fft */
    float *twiddles;   /* of each pass of the transform, one after the other: three complex numbers a butterfly */
    float *turns;      /* fft / 4 + 1 complex numbers that make a real transform of a complex one of half its length */
    float *dct;        /* mels x cepstra */
    float *weights;    /* the filters' values where they are not 0, one filter after the other */
    int32_t *places;   /* fft / 2: where the transform leaves each frequency */
    int32_t *first;    /* mels: the first bin of each filter */
    int32_t *last;     /* mels: the one after its last */
} Frames;

typedef struct {
    Py_ssize_t lanes;
    void (*hear)(const Frames *, const float *samples, Py_ssize_t frames);
    void (*to_decibels)(const Frames *, float *out, Py_ssize_t frames);
    void (*to_cepstra)(const Frames *, float *out, Py_ssize_t frames);
    void (*to_pcm)(const float *samples, int16_t *out, Py_ssize_t count);
    void (*pool)(const float *hops, Py_ssize_t rows, Py_ssize_t width, float floor, float *out);
} Loops;

#define MOST_LANES 8
#define NAME(name) name##_portable
#define LANES 4
#include "compiled_loops.h"

/* x86-64 promises no more than SSE2; with AVX2 it takes half the time. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(PORTABLE)
#define WIDE
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define NAME(name) name##_wide
#define LANES 8
#include "compiled_loops.h"
#pragma GCC pop_options
#endif

static const Loops *loops = &loops_portable;

static void choose_loops(void) {
#ifdef WIDE
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) loops = &loops_wide;
#endif
}

/* Open a contiguous float32 array; return 0 with an error set where it is none. */
static int floats(PyObject *object, Py_buffer *view, int writable, const char *name) {
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) return 0;
    if (strcmp(view->format, "f") == 0) return 1;
    PyErr_Format(PyExc_ValueError, "%s has the format %s, it must be float32", name, view->format);
    PyBuffer_Release(view);
    return 0;
}

static Py_ssize_t length(const Py_buffer *view) { return view->len / (Py_ssize_t)sizeof(float); }

static void frames_free(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(((Frames *)object)->memory);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static int allocate(Frames *self) {
    size_t fft = self->fft, half = fft / 2, mels = self->mels, cepstra = self->cepstra;
    size_t vectors = fft + half + 1 + mels, vector = sizeof(float) * MOST_LANES;
    size_t single = fft + 2 * fft + 2 * (half / 2 + 1) + mels * cepstra + mels * (half + 1) + half + 2 * mels;
    void *memory = PyMem_Malloc(vector * (vectors + 1) + sizeof(float) * single);
    if (memory == NULL) return 0;
    PyMem_Free(self->memory);
    self->memory = memory;
    self->sound = (void *)(((uintptr_t)memory + vector - 1) / vector * vector);
    self->power = (char *)self->sound + vector * fft;
    self->decibels = (char *)self->power + vector * (half + 1);
    self->window = (float *)((char *)self->decibels + vector * mels);
    self->twiddles = self->window + fft;
    self->turns = self->twiddles + 2 * fft;
    self->dct = self->turns + 2 * (half / 2 + 1);
    self->weights = self->dct + mels * cepstra;
    self->places = (int32_t *)(self->weights + mels * (half + 1));
    self->first = self->places + half;
    self->last = self->first + mels;
    return 1;
}

static Py_ssize_t place(Py_ssize_t frequency, Py_ssize_t size) {
    return size <= 2 ? frequency : frequency % 4 * (size / 4) + place(frequency / 4, size / 4);
}

static void tabulate(Frames *self, const float *window, const float *filters, const float *dct) {
    Py_ssize_t fft = self->fft, half = fft / 2, mels = self->mels;
    const double circle = 6.283185307179586;
    /* Half of it: a real transform is made of sums of two numbers, which are left without their factor of 1/2. */
    for (Py_ssize_t n = 0; n < fft; n++) self->window[n] = 0.5f * window[n];
    float *twiddle = self->twiddles;
    for (Py_ssize_t span = half; span >= 4; span /= 4)
        for (Py_ssize_t j = 0; j < span / 4; j++)
            for (int times = 1; times <= 3; times++) {
                *twiddle++ = (float)cos(circle * j * times / span);
                *twiddle++ = (float)-sin(circle * j * times / span);
            }
    for (Py_ssize_t k = 0; k <= half / 2; k++) {
        self->turns[2 * k] = (float)cos(circle * k / fft);
        self->turns[2 * k + 1] = (float)-sin(circle * k / fft);
    }
    memcpy(self->dct, dct, sizeof(float) * mels * self->cepstra);
    for (Py_ssize_t k = 0; k < half; k++) self->places[k] = (int32_t)place(k, half);
    float *weight = self->weights;
    for (Py_ssize_t mel = 0; mel < mels; mel++) {
        Py_ssize_t first = 0, last = half + 1;
        while (first < last && filters[first * mels + mel] == 0.0f) first++;
        while (last > first && filters[(last - 1) * mels + mel] == 0.0f) last--;
        self->first[mel] = (int32_t)first;
        self->last[mel] = (int32_t)last;
        for (Py_ssize_t bin = first; bin < last; bin++) *weight++ = filters[bin * mels + mel];
    }
}

/* The tables of these three arrays; return 0 with an error set where they do not fit each other. */
static int prepare(Frames *self, const Py_buffer *window, const Py_buffer *filters, const Py_buffer *dct) {
    Py_ssize_t fft = length(window);
    if (window->ndim != 1 || filters->ndim != 2 || dct->ndim != 2 || filters->shape[0] != fft / 2 + 1 ||
        filters->shape[1] != dct->shape[0]) {
        PyErr_SetString(PyExc_ValueError, "window, filters and dct do not fit each other");
        return 0;
    }
    if (fft < 8 || fft > 1 << 20 || (fft & (fft - 1)) != 0 || self->hop < 1) {
        PyErr_Format(PyExc_ValueError, "window has %zd samples, limit is the powers of 2 from 8 to 2^20; hop is %zd, "
                     "limit is 1", fft, self->hop);
        return 0;
    }
    self->fft = fft;
    self->mels = dct->shape[0];
    self->cepstra = dct->shape[1];
    if (!allocate(self)) {
        PyErr_NoMemory();
        return 0;
    }
    tabulate(self, window->buf, filters->buf, dct->buf);
    return 1;
}

static int frames_init(PyObject *object, PyObject *args, PyObject *keywords) {
    static char *names[] = {"window", "filters", "dct", "hop", "floor", NULL};
    Frames *self = (Frames *)object;
    PyObject *given[3];
    Py_buffer views[3];
    int opened = 0, done = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOnf", names, &given[0], &given[1], &given[2], &self->hop,
                                     &self->floor))
        return -1;
    while (opened < 3 && floats(given[opened], &views[opened], 0, names[opened])) opened++;
    if (opened == 3) done = prepare(self, &views[0], &views[1], &views[2]);
    while (opened > 0) PyBuffer_Release(&views[--opened]);
    return done ? 0 : -1;
}

/* Compute as many frames as `out` has room for, some at a time. */
static int compute(Frames *self, const Py_buffer *samples, Py_buffer *out, int cepstra) {
    Py_ssize_t width = cepstra ? self->cepstra : self->mels;
    Py_ssize_t count = length(out) / width, needed = count ? (count - 1) * self->hop + self->fft : 0;
    if (self->memory == NULL || count * width != length(out) || length(samples) < needed) {
        PyErr_Format(PyExc_ValueError, "out holds %zd values of frames of %zd, which take %zd samples; there are %zd",
                     length(out), width, needed, length(samples));
        return 0;
    }
    for (Py_ssize_t frame = 0; frame < count; frame += loops->lanes) {
        Py_ssize_t part = count - frame < loops->lanes ? count - frame : loops->lanes;
        loops->hear(self, (const float *)samples->buf + frame * self->hop, part);
        (cepstra ? loops->to_cepstra : loops->to_decibels)(self, (float *)out->buf + frame * width, part);
    }
    return 1;
}

static PyObject *frames_of(PyObject *self, PyObject *args, int cepstra) {
    PyObject *given, *wanted;
    Py_buffer samples, out;
    if (!PyArg_ParseTuple(args, "OO", &given, &wanted)) return NULL;
    if (!floats(given, &samples, 0, "samples")) return NULL;
    int done = 0;
    if (floats(wanted, &out, 1, "out")) {
        done = compute((Frames *)self, &samples, &out, cepstra);
        PyBuffer_Release(&out);
    }
    PyBuffer_Release(&samples);
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *frames_decibels(PyObject *self, PyObject *args) { return frames_of(self, args, 0); }
static PyObject *frames_cepstra(PyObject *self, PyObject *args) { return frames_of(self, args, 1); }

static PyObject *pcm(PyObject *Py_UNUSED(module), PyObject *given) {
    Py_buffer samples;
    if (!floats(given, &samples, 0, "samples")) return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, samples.len / 2);
    if (bytes != NULL) loops->to_pcm(samples.buf, (int16_t *)PyBytes_AsString(bytes), length(&samples));
    PyBuffer_Release(&samples);
    return bytes;
}

static PyObject *pooled(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *given, *wanted;
    Py_buffer hops, out;
    float floor;
    int done = 0;
    if (!PyArg_ParseTuple(args, "OfO", &given, &floor, &wanted)) return NULL;
    if (!floats(given, &hops, 0, "hops")) return NULL;
    if (floats(wanted, &out, 1, "out")) {
        done = hops.ndim == 2 && hops.shape[0] > 0 && length(&out) == 2 * hops.shape[1];
        if (done)
            loops->pool(hops.buf, hops.shape[0], hops.shape[1], floor, out.buf);
        else
            PyErr_SetString(PyExc_ValueError, "hops must be rows of channels, out twice the channels");
        PyBuffer_Release(&out);
    }
    PyBuffer_Release(&hops);
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef frames_methods[] = {
    {"decibels", frames_decibels, METH_VARARGS, "Put mel powers in decibels into out."},
    {"cepstra", frames_cepstra, METH_VARARGS, "Put cepstra into out."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot frames_slots[] = {
    {Py_tp_doc, "Frames of contiguous float32 samples."},
    {Py_tp_init, frames_init},
    {Py_tp_dealloc, frames_free},
    {Py_tp_methods, frames_methods},
    {Py_tp_new, PyType_GenericNew},
    {0, NULL},
};
static PyType_Spec frames_spec = {
    "overtone_models.loops.compiled.Frames", sizeof(Frames), 0, Py_TPFLAGS_DEFAULT, frames_slots,
};
static PyMethodDef functions[] = {
    {"pcm", pcm, METH_O, "Return float32 samples in -1..1 as 16 bits each."},
    {"pooled", pooled, METH_VARARGS, "Put mean and deviation over rows into out."},
    {NULL, NULL, 0, NULL},
};

static int begin(PyObject *module) {
    choose_loops();
    PyObject *type = PyType_FromSpec(&frames_spec);
    if (type == NULL) return -1;
    int status = PyModule_AddObjectRef(module, "Frames", type);
    Py_DECREF(type);
    return status;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, begin}, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "compiled", "The inner loops of listening.", 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_compiled(void) { return PyModuleDef_Init(&definition); }
