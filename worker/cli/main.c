/*
 * main.c: the program's modes. A mode is one function in one file; this table names them.
 */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "version") == 0) {
		puts("pointsman " POINTSMAN_VERSION);
		return 0;
	}
	fputs("usage: pointsman COMMAND [OPTION...]\n", stderr);
	return 2;
}
