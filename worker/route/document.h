/*
 * document.h: the embedding of a text that is longer than the table's reader takes at once (WORDPIECE_MAX pieces, some 200 words).
 *
 * A text that fits has the vector of static_model_embed. A longer one has the mean direction of windows, spread evenly from its
 * head to its tail; with 3 these are head, middle and tail. The work is bounded by the number of windows, not by the text.
 *
 * Thread: any. Pure.
 */
#ifndef ROUTE_DOCUMENT_H
#define ROUTE_DOCUMENT_H

#include "worker/route/static_model.h"

enum {
	DOCUMENT_MAX_WINDOWS = 64,
	DOCUMENT_WINDOWS = 3,        /* by default */
	DOCUMENT_WINDOW_BYTES = 1400 /* about as much English as has WORDPIECE_MAX pieces */
};

/* A unit vector of the model's dim floats, all zeros where no piece counts; false then. windows: 1 reads the head only. */
bool document_embed(const struct static_model *m, struct str text, uint32_t windows, float *vector);

#endif
