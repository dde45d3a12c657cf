/*
 * gain_parts.h: what a model of gains is made of while it is learned. Inside the training of gains only.
 */
#ifndef LAB_GAIN_PARTS_H
#define LAB_GAIN_PARTS_H

#include "worker/lab/gain_fit.h"
#include "worker/route/classifier.h"

struct gain_parts {
	struct str *texts; /* by row: behind the preamble */
	uint32_t *topic;   /* by row */
	struct str *topics;
	uint32_t topic_count;
	bool named;
	struct str preambles[GAIN_MAX_PREAMBLES]; /* the longest first */
	uint32_t preamble_count;
	struct gain_matrix matrix;
	double *words, surface[GAIN_SURFACE]; /* weights */
	/* the topics' classifier, between gain_parts_topics and gain_parts_forget_topics */
	struct arena arena;
	struct str file; /* data NULL: there are no topics to tell apart */
	struct classifier *classifier;
	struct classifier_scratch *scratch;
	double *topic_gains; /* by label of the classifier */
};

/* Learns the topics of those rows, and each one's mean of left (by row), shrunk towards 0. */
enum rc gain_parts_topics(struct gain_parts *p, const struct gain_train_setup *setup, const uint32_t *rows, uint32_t count, const double *left,
                          struct err *err);
double gain_parts_of_topics(const struct gain_parts *p, struct str text);
void gain_parts_forget_topics(struct gain_parts *p);

/* gain_write.c: appends the file. */
void gain_parts_write(const struct gain_parts *p, const struct gain_train_setup *setup, const struct gain_train_report *report, struct buf *out);

#endif
