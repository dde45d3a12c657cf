/*
 * train_gain.h: `train --gain`, called by train.c. Thread: main.
 */
#ifndef CLI_TRAIN_GAIN_H
#define CLI_TRAIN_GAIN_H

/* argv as train's. Returns an exit code. */
int train_gain(int argc, char **argv);

#endif
