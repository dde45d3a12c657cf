/*
 * gain_write.c: the parts as a file of the safetensors format.
 */
#include <stdlib.h>

#include "common/json.h"
#include "worker/lab/gain_parts.h"

struct writing {
	struct buf header, data;
};

static void tensor(struct writing *w, const char *name, const char *type, size_t rows, size_t columns, const void *bytes, size_t size)
{
	json_key(&w->header, name);
	buf_printf(&w->header, "{\"dtype\":\"%s\",\"shape\":[%zu,%zu],\"data_offsets\":[%zu,%zu]}", type, rows, columns, w->data.len, w->data.len + size);
	buf_add(&w->data, bytes, size);
}

static void write_floats(struct writing *w, const char *name, const double *values, size_t count)
{
	float *rounded = heap_zalloc(count + 1, sizeof *rounded);
	for (size_t i = 0; i < count; i++)
		rounded[i] = (float)values[i];
	tensor(w, name, "F32", count, 1, rounded, count * sizeof *rounded);
	free(rounded);
}

static void write_words(struct writing *w, const struct gain_parts *p)
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
	tensor(w, "places", "I32", places, 1, m->place, places * sizeof *m->place);
	tensor(w, "idf", "F32", (size_t)places + 1, 1, idf, ((size_t)places + 1) * sizeof *idf);
	write_floats(w, "words", p->words, places);
	write_floats(w, "dense", p->words + places, m->words.dim);
	tensor(w, "surface", "F32", 3, GAIN_SURFACE, surface, sizeof surface);
	free(idf);
}

static void write_preambles(struct writing *w, const struct gain_parts *p)
{
	uint32_t values[GAIN_MAX_PREAMBLES][3];
	for (uint32_t i = 0; i < p->preamble_count; i++) {
		uint64_t hash = gain_hash(p->preambles[i]);
		values[i][0] = (uint32_t)p->preambles[i].len;
		values[i][1] = (uint32_t)hash;
		values[i][2] = (uint32_t)(hash >> 32);
	}
	tensor(w, "preambles", "I32", p->preamble_count, 3, values, p->preamble_count * sizeof values[0]);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void write_learned(struct writing *w, const struct gain_train_setup *setup)
{
	uint64_t *hashes = heap_zalloc((size_t)setup->row_count + 1, sizeof *hashes);
	for (uint32_t i = 0; i < setup->row_count; i++)
		hashes[i] = gain_hash(setup->rows[i].text);
	qsort(hashes, setup->row_count, sizeof *hashes, by_value);
	for (uint32_t i = 0; i < setup->row_count; i++)
		hashes[i] = hashes[i] << 32 | hashes[i] >> 32; /* the high half first */
	tensor(w, "learned", "I32", setup->row_count, 2, hashes, setup->row_count * sizeof *hashes);
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
	struct writing w;
	arena_init(&arena, 1 << 20);
	buf_init(&w.header, &arena, 4096);
	buf_init(&w.data, &arena, 1 << 20);
	buf_char(&w.header, '{');
	json_key(&w.header, "__metadata__");
	buf_char(&w.header, '{');
	json_member_str(&w.header, "pointsman", settings_text(p, setup, report, &arena));
	buf_char(&w.header, '}');
	write_words(&w, p);
	write_preambles(&w, p);
	write_learned(&w, setup);
	tensor(&w, "topics", "I8", p->file.len, 1, p->file.data, p->file.len);
	write_floats(&w, "topic_gains", p->topic_gains, p->file.data != NULL ? classifier_label_count(p->classifier) : 0);
	buf_char(&w.header, '}');
	uint64_t length = w.header.len;
	buf_add(out, &length, sizeof length);
	buf_add(out, w.header.data, w.header.len);
	buf_add(out, w.data.data, w.data.len);
	arena_free(&arena);
}
