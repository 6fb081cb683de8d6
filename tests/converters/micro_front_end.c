/* The path that overtone_model.h describes, written from its comment alone: frames of a recording, and an answer.

   frames SAMPLES FRAMES        float32 samples in; (frames, OVERTONE_MFCC) standardised float32 out
   answer HOPS PROBABILITIES    (hops, OVERTONE_CHANNELS) in; the probabilities of the last hop out */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overtone_model.h"

static const double PI = 3.14159265358979323846;

static float *load(const char *path, long *count) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(2);
  fseek(file, 0, SEEK_END);
  *count = ftell(file) / (long)sizeof(float);
  rewind(file);
  float *values = malloc((size_t)*count * sizeof(float) + 1);
  if (fread(values, sizeof(float), (size_t)*count, file) != (size_t)*count) exit(2);
  fclose(file);
  return values;
}

static void frame(const float *samples, float *out) {
  enum { BINS = OVERTONE_WINDOW_SAMPLES / 2 + 1 };
  static double power[BINS], decibels[OVERTONE_MELS];
  for (int k = 0; k < BINS; k++) {
    double re = 0, im = 0;
    for (int n = 0; n < OVERTONE_WINDOW_SAMPLES; n++) {
      double x = (double)samples[n] * (double)overtone_window[n];
      double angle = 2 * PI * (k * n % OVERTONE_WINDOW_SAMPLES) / OVERTONE_WINDOW_SAMPLES;
      re += x * cos(angle);
      im -= x * sin(angle);
    }
    power[k] = re * re + im * im;
  }
  const float *weight = overtone_mel_weights;
  for (int m = 0; m < OVERTONE_MELS; m++) {
    double sum = 0;
    for (int k = 0; k < overtone_mel_count[m]; k++) sum += power[overtone_mel_first[m] + k] * (double)*weight++;
    decibels[m] = 10 * log10(fmax(sum, (double)OVERTONE_FLOOR_POWER));
  }
  for (int c = 0; c < OVERTONE_MFCC; c++) {
    double sum = 0;
    for (int m = 0; m < OVERTONE_MELS; m++) sum += decibels[m] * (double)overtone_dct[m * OVERTONE_MFCC + c];
    out[c] = (float)((sum - (double)overtone_standardise_mean[c]) * (double)overtone_standardise_scale[c]);
  }
}

static void answer(const float *hops, long count, float *out) {
  double embedding[OVERTONE_EMBEDDING], logits[OVERTONE_LABELS], most = -1e30, sum = 0;
  long first = count > OVERTONE_RECENT_HOPS ? count - OVERTONE_RECENT_HOPS : 0;
  for (int c = 0; c < OVERTONE_CHANNELS; c++) {
    double mean = 0, variance = 0;
    for (long h = first; h < count; h++) mean += (double)hops[h * OVERTONE_CHANNELS + c] / (double)(count - first);
    for (long h = first; h < count; h++) {
      double away = (double)hops[h * OVERTONE_CHANNELS + c] - mean;
      variance += away * away / (double)(count - first);
    }
    embedding[c] = mean;
    embedding[OVERTONE_CHANNELS + c] = sqrt(variance + (double)OVERTONE_VARIANCE_FLOOR);
  }
  double level = 0;
  for (int k = 0; k < OVERTONE_LABELS; k++) {
    logits[k] = (double)overtone_head_bias[k];
    for (int e = 0; e < OVERTONE_EMBEDDING; e++)
      logits[k] += embedding[e] * (double)overtone_head_weights[e * OVERTONE_LABELS + k];
    level += logits[k] / (double)OVERTONE_LABELS;
    logits[k] /= (double)OVERTONE_TEMPERATURE;
    most = fmax(most, logits[k]);
  }
  for (int k = 0; k < OVERTONE_LABELS; k++) sum += exp(logits[k] - most);
  sum *= 1 + exp((double)OVERTONE_SPEECH - level);
  for (int k = 0; k < OVERTONE_LABELS; k++) out[k] = (float)(exp(logits[k] - most) / sum);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  long count;
  float *given = load(argv[2], &count);
  FILE *file = fopen(argv[3], "wb");
  if (!file) return 2;
  if (!strcmp(argv[1], "frames")) {
    float out[OVERTONE_MFCC];
    for (long at = 0; at + OVERTONE_WINDOW_SAMPLES <= count; at += OVERTONE_HOP_SAMPLES) {
      frame(given + at, out);
      fwrite(out, sizeof(float), OVERTONE_MFCC, file);
    }
  } else {
    float out[OVERTONE_LABELS];
    answer(given, count / OVERTONE_CHANNELS, out);
    fwrite(out, sizeof(float), OVERTONE_LABELS, file);
  }
  free(given);
  return fclose(file);
}
