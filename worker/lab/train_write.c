/*
 * train_write.c: weights and examples as tensors of one file, numbers as int8 with one scale a row.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/lab/tensor_file.h"
#include "worker/lab/train_fit.h"
#include "worker/route/kernels.h"

/* count rows of columns floats, as int8 and a scale each. */
static void quantised(struct tensor_file *f, const char *name, const char *scale_name, const float *values, uint32_t count, uint32_t columns)
{
	int8_t *bytes = heap_zalloc((size_t)count * columns + 1, 1);
	float *scales = heap_zalloc((size_t)count + 1, sizeof *scales);
	for (uint32_t i = 0; i < count; i++)
		scales[i] = kernels_quantise(values + (size_t)i * columns, columns, bytes + (size_t)i * columns);
	tensor_file_add(f, scale_name, TENSOR_F32, count, 0, scales);
	tensor_file_add(f, name, TENSOR_I8, count, columns, bytes);
	free(bytes);
	free(scales);
}

/* The hashed features that the rows have, with their weights: one that only other rows have is none that was learned. */
static void write_hashed(struct tensor_file *f, const struct train_matrix *m, const struct train_weights *weights, const uint32_t *rows, uint32_t count)
{
	uint32_t width = weights->width, kept = 0;
	bool *has = heap_zalloc((size_t)m->place_count + 1, sizeof *has);
	int32_t *places = heap_zalloc((size_t)m->place_count + 1, sizeof *places);
	float *idf = heap_zalloc((size_t)m->place_count + 1, sizeof *idf);
	float *values = heap_zalloc((size_t)m->place_count + 1, width * sizeof *values);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = m->start[rows[i]]; k < m->start[rows[i] + 1]; k++)
			has[m->at[k]] = true;
	for (uint32_t i = 0; i < m->place_count; i++) {
		if (!has[i])
			continue;
		places[kept] = m->place[i];
		idf[kept] = m->idf[m->place[i]];
		memcpy(values + (size_t)kept * width, weights->values + (size_t)i * width, width * sizeof *values);
		kept++;
	}
	idf[kept] = m->unseen_idf;
	tensor_file_add(f, "places", TENSOR_I32, kept, 0, places);
	tensor_file_add(f, "idf", TENSOR_F32, kept + 1, 0, idf);
	quantised(f, "hashed", "hashed_scale", values, kept, width);
	free(has);
	free(places);
	free(idf);
	free(values);
}

/* A row a label: at run time each is one product with the text's vector. */
static void write_dense(struct tensor_file *f, const float *weights, uint32_t labels, uint32_t dim, uint32_t width)
{
	float *values = heap_zalloc((size_t)labels * dim, sizeof *values);
	for (uint32_t i = 0; i < labels; i++)
		for (uint32_t d = 0; d < dim; d++)
			values[(size_t)i * dim + d] = weights[(size_t)d * width + i];
	quantised(f, "dense", "dense_scale", values, labels, dim);
	free(values);
}

static void write_examples(struct tensor_file *f, const struct train_matrix *m, const struct train_setup *setup, const uint32_t *rows,
                           uint32_t count)
{
	float *vectors = heap_zalloc((size_t)count * m->dim + 1, sizeof *vectors);
	float *centroids = heap_zalloc((size_t)setup->label_count * m->dim, sizeof *centroids);
	int32_t *labels = heap_zalloc((size_t)count + 1, sizeof *labels);
	for (uint32_t i = 0; i < count; i++) {
		labels[i] = (int32_t)setup->rows[rows[i]].label;
		for (uint32_t d = 0; d < m->dim; d++) {
			vectors[(size_t)i * m->dim + d] = m->dense[(size_t)rows[i] * m->dim + d];
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
	tensor_file_add(f, "example_labels", TENSOR_I32, count, 0, labels);
	quantised(f, "examples", "example_scale", vectors, count, m->dim);
	quantised(f, "centroids", "centroid_scale", centroids, setup->label_count, m->dim);
	free(vectors);
	free(centroids);
	free(labels);
}

/* What the classifier must know of itself, as the text of the one metadata entry. */
static struct str settings_text(const struct train_setup *setup, const struct train_settings *settings, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 1024);
	buf_char(&out, '{');
	json_member_str(&out, "format", STR(CLASSIFIER_FORMAT));
	json_member_i64(&out, "features", FEATURES_VERSION);
	json_member_str(&out, "static_model", static_model_version(setup->model));
	json_member_double(&out, "sharpness", settings->sharpness);
	json_member_double(&out, "threshold", settings->threshold);
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
                 uint32_t count, const struct train_settings *settings, struct buf *out)
{
	struct arena arena;
	struct tensor_file f;
	arena_init(&arena, 4096);
	tensor_file_begin(&f, settings_text(setup, settings, &arena));
	const float *dense = weights->values + (size_t)m->place_count * weights->width;
	tensor_file_add(&f, "bias", TENSOR_F32, weights->width, 0, dense + (size_t)m->dim * weights->width);
	write_hashed(&f, m, weights, rows, count);
	write_dense(&f, dense, setup->label_count, m->dim, weights->width);
	write_examples(&f, m, setup, rows, count);
	tensor_file_add(&f, "center", TENSOR_F32, m->dim, 0, m->center);
	if (settings->scope != NULL)
		tensor_file_add(&f, "scope", TENSOR_F32, CLASSIFIER_SIGNALS + 1, 0, settings->scope);
	tensor_file_end(&f, out);
	arena_free(&arena);
}
