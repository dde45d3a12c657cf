/*
 * admin_page.c: admin_page.html as bytes of the program.
 *
 * The one idea: the page is edited as the HTML it is, and assembled into the binary as it lies there. The path is
 * relative to the root of the repository, where the build runs.
 */
#include "worker/engine/admin.h"

__asm__(".pushsection .rodata\n"
        "admin_page_begin:\n"
        ".incbin \"worker/engine/admin_page.html\"\n"
        "admin_page_end:\n"
        ".popsection\n");

extern const char admin_page_begin[], admin_page_end[];

struct str admin_page(void)
{
	return (struct str){admin_page_begin, (size_t)(admin_page_end - admin_page_begin)};
}
