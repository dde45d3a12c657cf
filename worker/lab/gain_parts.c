/*
 * gain_parts.c: topics and their gains.
 *
 * The one idea: what a text is about is a classifier's question, and there is one; a topic's gain is the mean of its rows as if
 * SHRINK more had the mean of all (so a topic of few rows says little).
 */
#include "worker/lab/gain_parts.h"

#include <stdlib.h>

#include "worker/lab/train.h"

static const double SHRINK = 5;

enum rc gain_parts_topics(struct gain_parts *p, const struct gain_train_setup *setup, const uint32_t *rows, uint32_t count, const double *left,
                          struct err *err)
{
	arena_init(&p->arena, 1 << 16);
	p->file = STR_NULL;
	if (p->topic_count == 0)
		return RC_OK;
	uint32_t *label_of = arena_array(&p->arena, p->topic_count, sizeof *label_of), labels = 0; /* + 1; 0: it has no row here */
	struct str *names = arena_array(&p->arena, p->topic_count, sizeof *names);
	struct train_row *learn = arena_array(&p->arena, count, sizeof *learn);
	double *sums = arena_array(&p->arena, p->topic_count, sizeof *sums), *numbers = arena_array(&p->arena, p->topic_count, sizeof *numbers);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t topic = p->topic[rows[i]];
		if (label_of[topic] == 0) {
			names[labels++] = p->topics[topic];
			label_of[topic] = labels;
		}
		uint32_t label = label_of[topic] - 1;
		learn[i] = (struct train_row){.text = p->texts[rows[i]], .label = label};
		sums[label] += left[rows[i]];
		numbers[label]++;
	}
	if (labels < 2)
		return RC_OK;
	for (uint32_t i = 0; i < labels; i++)
		sums[i] /= numbers[i] + SHRINK;
	struct train_setup how = {.rows = learn, .row_count = count, .labels = names, .label_count = labels, .no_names = true, .model = setup->model, .seed = setup->seed};
	struct train_report report;
	struct buf file;
	buf_init(&file, &p->arena, 1 << 20);
	enum rc rc = train_classifier(&how, &file, &report, err);
	if (rc == RC_OK)
		rc = classifier_open(buf_view(&file), setup->model, &p->arena, &p->classifier, err);
	if (rc != RC_OK)
		return rc;
	p->file = buf_view(&file);
	p->scratch = classifier_scratch_new(p->classifier);
	p->topic_gains = sums;
	return RC_OK;
}

double gain_parts_of_topics(const struct gain_parts *p, struct str text)
{
	struct classified found;
	double sum = 0;
	if (p->file.data == NULL)
		return 0;
	classifier_run(p->classifier, p->scratch, text, &found);
	const float *share = classifier_probabilities(p->scratch);
	for (uint32_t i = 0; i < classifier_label_count(p->classifier); i++)
		sum += (double)share[i] * p->topic_gains[i];
	return sum;
}

void gain_parts_forget_topics(struct gain_parts *p)
{
	classifier_scratch_free(p->scratch);
	p->scratch = NULL;
	p->classifier = NULL;
	p->file = STR_NULL;
	arena_free(&p->arena);
}
