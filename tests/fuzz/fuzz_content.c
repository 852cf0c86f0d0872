/*
 * Names of symbols and contents of chunks: whatever the bytes are, texts end with NUL inside their room, and what is
 * taken for text is safe to print.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "base/text.h"
#include "format/cxx_name.h"
#include "vmmap/content.h"

static struct vmm_region regions[] = {{.start = 0x400000, .end = 0x500000, .kind = VMM_KIND_IMAGE, .module = 0, .thread = VMM_NONE,
                                       .heap = VMM_NONE, .block_count = 1, .details = "", .path = "/a/b"},
                                      {.start = 0x10000000, .end = 0x20000000, .kind = VMM_KIND_HEAP, .module = VMM_NONE,
                                       .thread = VMM_NONE, .heap = 0, .first_block = 1, .block_count = 1, .details = "", .path = ""}};
static struct vmm_vma vmas[] = {{.start = 0x400000, .end = 0x500000, .name = "/a/b", .prot = VMM_PROT_READ | VMM_PROT_EXEC},
                                {.start = 0x10000000, .end = 0x20000000, .name = ""}};
static struct vmm_block blocks[] = {{.start = 0x400000, .end = 0x500000, .label = ".text"},
                                    {.start = 0x10000000, .end = 0x20000000, .vma = 1, .region = 1, .label = ""}};
static struct vmm_module modules[] = {{.start = 0x400000, .end = 0x500000, .path = "/a/b"}};
static struct vmm_heap heaps[] = {{.id = "h", .reader = "r", .label = "a heap"}};

static void check_name(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 3), text[128], special;

	FUZZ_CHECK(name);
	memcpy(name, "_Z", 2);
	memcpy(name + 2, data, size);
	name[size + 2] = '\0';
	if (vmm_cxx_name(name, text, sizeof(text), &special))
		FUZZ_CHECK(memchr(text, '\0', sizeof(text)) && (special == 0 || strchr("VIST", special)));
	free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_snapshot s = {.target = {.bits = size % 2 ? 32 : 64}, .regions = regions, .region_count = 2, .vmas = vmas, .vma_count = 2,
	                         .blocks = blocks, .block_count = 2, .modules = modules, .module_count = 1, .heaps = heaps, .heap_count = 1};
	struct vmm_content_context context = {.snapshot = &s};
	unsigned char *exact = malloc(size + 1); /* of just this size: reading past its end is seen */
	struct vmm_content c;
	char line[VMM_CONTENT_LINE_MAX];
	uint64_t whole = size ? size + data[0] % 2 : 0;

	FUZZ_CHECK(exact);
	memcpy(exact, data, size);
	exact = realloc(exact, size ? size : 1);
	vmm_content_decode(&context, exact, size, whole, &c);
	FUZZ_CHECK(c.type < VMM_CONTENT_COUNT && memchr(c.text, '\0', sizeof(c.text)));
	FUZZ_CHECK((size == 0) == (c.type == VMM_CONTENT_ABSENT));
	if (c.type == VMM_CONTENT_STRING || c.type == VMM_CONTENT_UTF16)
		for (size_t i = 0, length = strlen(c.text); i < length;) {
			uint32_t point;

			i += vmm_utf8_decode(c.text + i, length - i, &point);
			FUZZ_CHECK(point != UINT32_MAX && (!vmm_point_unsafe(point) || point == '\t' || point == '\n' || point == '\r'));
		}
	vmm_content_line(&c, line);
	FUZZ_CHECK(memchr(line, '\0', sizeof(line)));
	check_name(data, size);
	free(exact);
	return 0;
}
