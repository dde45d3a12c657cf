/*
 * calibrate_gain.h: `calibrate --strong-share` and `--target-quality`, called by calibrate.c. Thread: main.
 */
#ifndef CLI_CALIBRATE_GAIN_H
#define CLI_CALIBRATE_GAIN_H

#include <stdbool.h>

/* Whether one of the two is among the words. */
bool calibrate_gain_asked(int argc, char **argv);
/* argv as calibrate's. Returns an exit code. */
int calibrate_gain(int argc, char **argv);

#endif
