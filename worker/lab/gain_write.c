/*
 * gain_write.c: the parts as tensors of one file.
 */
#include <stdlib.h>

#include "common/json.h"
#include "worker/lab/gain_parts.h"
#include "worker/lab/tensor_file.h"

static void write_floats(struct tensor_file *f, const char *name, const double *values, size_t count)
{
	float *rounded = heap_zalloc(count + 1, sizeof *rounded);
	for (size_t i = 0; i < count; i++)
		rounded[i] = (float)values[i];
	tensor_file_add(f, name, TENSOR_F32, count, 1, rounded);
	free(rounded);
}

static void write_words(struct tensor_file *f, const struct gain_parts *p)
{
	const struct gain_matrix *m = &p->matrix;
	uint32_t places = m->words.places;
	float *idf = heap_zalloc((size_t)places + 1, sizeof *idf), surface[3][GAIN_SURFACE];
	for (uint32_t i = 0; i < places; i++)
		idf[i] = m->idf[m->place[i]];
	idf[places] = m->unseen_idf;
	for (int i = 0; i < GAIN_SURFACE; i++) {
		surface[0][i] = m->mean[i];
		surface[1][i] = m->inverse[i];
		surface[2][i] = (float)p->surface[i];
	}
	tensor_file_add(f, "places", TENSOR_I32, places, 1, m->place);
	tensor_file_add(f, "idf", TENSOR_F32, (size_t)places + 1, 1, idf);
	write_floats(f, "words", p->words, places);
	write_floats(f, "dense", p->words + places, m->words.dim);
	tensor_file_add(f, "surface", TENSOR_F32, 3, GAIN_SURFACE, surface);
	free(idf);
}

static void write_preambles(struct tensor_file *f, const struct gain_parts *p)
{
	uint32_t values[GAIN_MAX_PREAMBLES][3];
	for (uint32_t i = 0; i < p->preamble_count; i++) {
		uint64_t hash = gain_hash(p->preambles[i]);
		values[i][0] = (uint32_t)p->preambles[i].len;
		values[i][1] = (uint32_t)hash;
		values[i][2] = (uint32_t)(hash >> 32);
	}
	tensor_file_add(f, "preambles", TENSOR_I32, p->preamble_count, 3, values);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void write_learned(struct tensor_file *f, const struct gain_train_setup *setup)
{
	uint64_t *hashes = heap_zalloc((size_t)setup->row_count + 1, sizeof *hashes);
	for (uint32_t i = 0; i < setup->row_count; i++)
		hashes[i] = gain_hash(setup->rows[i].text);
	qsort(hashes, setup->row_count, sizeof *hashes, by_value);
	for (uint32_t i = 0; i < setup->row_count; i++)
		hashes[i] = hashes[i] << 32 | hashes[i] >> 32; /* the high half first */
	tensor_file_add(f, "learned", TENSOR_I32, setup->row_count, 2, hashes);
	free(hashes);
}

static struct str settings_text(const struct gain_parts *p, const struct gain_train_setup *setup, const struct gain_train_report *report,
                                struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 1024);
	buf_char(&out, '{');
	json_member_str(&out, "format", STR(GAIN_FORMAT));
	json_member_i64(&out, "features", FEATURES_VERSION);
	json_member_str(&out, "static_model", static_model_version(setup->model));
	json_member_bool(&out, "named", p->named);
	json_member_double(&out, "base", report->base);
	json_member_double(&out, "topics", report->weights[GAIN_TOPICS]);
	json_member_double(&out, "words", report->weights[GAIN_WORDS]);
	json_member_double(&out, "surface", report->weights[GAIN_OF_SURFACE]);
	buf_char(&out, '}');
	return buf_view(&out);
}

void gain_parts_write(const struct gain_parts *p, const struct gain_train_setup *setup, const struct gain_train_report *report, struct buf *out)
{
	struct arena arena;
	struct tensor_file f;
	arena_init(&arena, 4096);
	tensor_file_begin(&f, settings_text(p, setup, report, &arena));
	write_words(&f, p);
	write_preambles(&f, p);
	write_learned(&f, setup);
	tensor_file_add(&f, "topics", TENSOR_I8, p->file.len, 1, p->file.data);
	write_floats(&f, "topic_gains", p->topic_gains, p->file.data != NULL ? classifier_label_count(p->classifier) : 0);
	tensor_file_end(&f, out);
	arena_free(&arena);
}
