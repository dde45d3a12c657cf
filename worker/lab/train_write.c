/*
 * train_write.c: weights and examples as a file of the safetensors format, numbers as int8 with one scale a row.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/lab/train_fit.h"
#include "worker/route/kernels.h"

struct writing {
	struct buf header, data;
};

static void tensor(struct writing *w, const char *name, const char *type, uint32_t rows, uint32_t columns, const void *bytes, size_t size)
{
	json_key(&w->header, name);
	buf_printf(&w->header, "{\"dtype\":\"%s\",\"shape\":[%u", type, rows);
	if (columns != 0)
		buf_printf(&w->header, ",%u", columns);
	buf_printf(&w->header, "],\"data_offsets\":[%zu,%zu]}", w->data.len, w->data.len + size);
	buf_add(&w->data, bytes, size);
}

/* count rows of columns floats, as int8 and a scale each. */
static void quantised(struct writing *w, const char *name, const char *scale_name, const float *values, uint32_t count, uint32_t columns)
{
	int8_t *bytes = heap_zalloc((size_t)count * columns + 1, 1);
	float *scales = heap_zalloc((size_t)count + 1, sizeof *scales);
	for (uint32_t i = 0; i < count; i++)
		scales[i] = kernels_quantise(values + (size_t)i * columns, columns, bytes + (size_t)i * columns);
	tensor(w, scale_name, "F32", count, 0, scales, count * sizeof *scales);
	tensor(w, name, "I8", count, columns, bytes, (size_t)count * columns);
	free(bytes);
	free(scales);
}

static void write_places(struct writing *w, const struct train_matrix *m)
{
	float *idf = heap_zalloc((size_t)m->place_count + 1, sizeof *idf);
	for (uint32_t i = 0; i < m->place_count; i++)
		idf[i] = m->idf[m->place[i]];
	idf[m->place_count] = m->unseen_idf;
	tensor(w, "places", "I32", m->place_count, 0, m->place, m->place_count * sizeof *m->place);
	tensor(w, "idf", "F32", m->place_count + 1, 0, idf, ((size_t)m->place_count + 1) * sizeof *idf);
	free(idf);
}

static void write_examples(struct writing *w, const struct train_matrix *m, const struct train_setup *setup, const uint32_t *rows,
                           uint32_t count, bool by_centroids)
{
	float *vectors = heap_zalloc((size_t)count * m->dim + 1, sizeof *vectors);
	float *centroids = heap_zalloc((size_t)setup->label_count * m->dim, sizeof *centroids);
	int32_t *labels = heap_zalloc((size_t)count + 1, sizeof *labels);
	for (uint32_t i = 0; i < count; i++) {
		labels[i] = (int32_t)setup->rows[rows[i]].label;
		for (uint32_t d = 0; d < m->dim; d++) {
			vectors[(size_t)i * m->dim + d] = m->dense[(size_t)rows[i] * m->dim + d] / CLASSIFIER_DENSE_WEIGHT;
			centroids[(size_t)labels[i] * m->dim + d] += vectors[(size_t)i * m->dim + d];
		}
	}
	for (uint32_t i = 0; i < setup->label_count; i++) {
		float sum = 0, *centroid = centroids + (size_t)i * m->dim;
		for (uint32_t d = 0; d < m->dim; d++)
			sum += centroid[d] * centroid[d];
		for (uint32_t d = 0; d < m->dim && sum > 0; d++)
			centroid[d] /= sqrtf(sum);
	}
	tensor(w, "example_labels", "I32", count, 0, labels, count * sizeof *labels);
	quantised(w, "examples", "example_scale", vectors, count, m->dim);
	quantised(w, "centroids", "centroid_scale", centroids, by_centroids ? setup->label_count : 0, m->dim);
	free(vectors);
	free(centroids);
	free(labels);
}

/* What the classifier must know of itself, as the text of the one metadata entry. */
static struct str settings_text(const struct train_setup *setup, const struct train_report *report, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 1024);
	buf_char(&out, '{');
	json_member_str(&out, "format", STR(CLASSIFIER_FORMAT));
	json_member_i64(&out, "features", FEATURES_VERSION);
	json_member_str(&out, "static_model", static_model_version(setup->model));
	json_member_double(&out, "sharpness", report->sharpness);
	json_member_double(&out, "share", 0.3);
	json_member_double(&out, "threshold", report->threshold);
	json_key(&out, "labels");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < setup->label_count; i++) {
		json_sep(&out);
		json_write_str(&out, setup->labels[i]);
	}
	buf_cstr(&out, "]}");
	return buf_view(&out);
}

void train_write(const struct train_matrix *m, const struct train_weights *weights, const struct train_setup *setup, const uint32_t *rows,
                 uint32_t count, const struct train_report *report, struct buf *out)
{
	struct arena arena;
	struct writing w;
	arena_init(&arena, 1 << 20);
	buf_init(&w.header, &arena, 4096);
	buf_init(&w.data, &arena, 1 << 20);
	buf_char(&w.header, '{');
	json_key(&w.header, "__metadata__");
	buf_char(&w.header, '{');
	json_member_str(&w.header, "pointsman", settings_text(setup, report, &arena));
	buf_char(&w.header, '}');
	const float *dense = weights->values + (size_t)m->place_count * weights->width;
	tensor(&w, "bias", "F32", weights->width, 0, dense + (size_t)m->dim * weights->width, weights->width * sizeof(float));
	write_places(&w, m);
	quantised(&w, "hashed", "hashed_scale", weights->values, m->place_count, weights->width);
	quantised(&w, "dense", "dense_scale", dense, m->dim, weights->width);
	write_examples(&w, m, setup, rows, count, report->by_centroids);
	buf_char(&w.header, '}');
	uint64_t length = w.header.len;
	buf_add(out, &length, sizeof length);
	buf_add(out, w.header.data, w.header.len);
	buf_add(out, w.data.data, w.data.len);
	arena_free(&arena);
}
