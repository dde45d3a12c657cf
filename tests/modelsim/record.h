/*
 * record.h: requests written down as they came. Thread: the server's one.
 */
#ifndef MODELSIM_RECORD_H
#define MODELSIM_RECORD_H

#include <stdio.h>

#include "tests/modelsim/exchange.h"

/* Headers and body of a call (or of what is no call), as a line of JSON; requests to the simulator itself are not. file may be NULL. */
void record_request(FILE *file, struct exchange *exchange);

#endif
