/* Data of a page in memory that runs out. */
#include <stdlib.h>

#include "base/arena.h"
#include "face/page_pack.h"
#include "test.h"

/* What is fed in pieces comes out whole: gunzip and base64 of the system say so in tests/live/report.py. */
static void test_pack_memory(void **state)
{
	unsigned long failures = 0;
	char *text = NULL;

	for (unsigned long n = 1; !text; n++) {
		struct vmm_out *out;
		struct vmm_page_pack *pack;
		struct vmm_err err;

		vmm_alloc_fail_after(n);
		out = vmm_out_create_memory();
		if (out && vmm_page_pack_open(out, "vmmap-data", &pack, &err) == 0) {
			vmm_page_pack_text(pack, "{\"a\":\"<\"}");
			if (vmm_page_pack_close(pack, &err) < 0)
				out->failed = true;
			text = vmm_out_take(out, NULL);
		} else if (out) {
			free(vmm_out_take(out, NULL));
		}
		vmm_alloc_fail_after(0);
		failures += !text;
	}
	assert_true(failures >= 2);
	assert_non_null(strstr(text, "id=\"vmmap-data\""));
	assert_null(strstr(text, "\"<\""));
	free(text);
}

TEST_MAIN(cmocka_unit_test(test_pack_memory))
