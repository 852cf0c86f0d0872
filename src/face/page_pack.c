#include "face/page_pack.h"

#include <stdlib.h>
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/arena.h"
#include "base/err.h"
#include "face/page.h"

#define BLOCK 49152 /* bytes turned into base64 at a time: a multiple of three, room for them is 64 KiB */

struct vmm_page_pack {
	struct vmm_out *out;
	struct archive *archive; /* NULL: plain */
	unsigned char carry[3]; /* bytes that make no whole group of base64 yet */
	size_t carried;
	bool failed;
};

#ifdef VMM_HAVE_ARCHIVE
static char *put_group(char *p, const unsigned char b[3])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

	p[0] = digits[v >> 18];
	p[1] = digits[v >> 12 & 63];
	p[2] = digits[v >> 6 & 63];
	p[3] = digits[v & 63];
	return p + 4;
}

static void put_base64(struct vmm_page_pack *pack, const unsigned char *bytes, size_t length)
{
	struct vmm_out *out = pack->out;

	while (length > 0) {
		size_t part = length < BLOCK ? length : BLOCK;
		char *p;

		if (!vmm_out_room(out, BLOCK / 3 * 4))
			return;
		p = out->buffer + out->used;
		for (size_t i = 0; i < part; i++) {
			/* Whole groups straight from the bytes. */
			for (; pack->carried == 0 && i + 3 <= part; i += 3)
				p = put_group(p, bytes + i);
			if (i >= part)
				break;
			pack->carry[pack->carried++] = bytes[i];
			if (pack->carried == 3) {
				p = put_group(p, pack->carry);
				pack->carried = 0;
			}
		}
		out->used = (size_t)(p - out->buffer);
		bytes += part;
		length -= part;
	}
}

static void end_base64(struct vmm_page_pack *pack)
{
	char group[4];

	if (!pack->carried)
		return;
	memset(pack->carry + pack->carried, 0, 3 - pack->carried);
	put_group(group, pack->carry);
	memset(group + pack->carried + 1, '=', 3 - pack->carried);
	vmm_out_bytes(pack->out, group, sizeof(group));
}

static la_ssize_t take_packed(struct archive *archive, void *arg, const void *bytes, size_t length)
{
	put_base64(arg, bytes, length);
	return (la_ssize_t)length;
}

/* One gzip stream, the same for the same bytes. */
static bool begin_gzip(struct vmm_page_pack *pack)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	bool good = archive && entry;

	good = good && archive_write_add_filter_gzip(archive) == ARCHIVE_OK;
	good = good && archive_write_set_format_raw(archive) == ARCHIVE_OK;
	good = good && archive_write_set_options(archive, "gzip:!timestamp") == ARCHIVE_OK;
	good = good && archive_write_set_bytes_per_block(archive, BLOCK) == ARCHIVE_OK;
	good = good && archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK;
	good = good && archive_write_open(archive, pack, NULL, take_packed, NULL) == ARCHIVE_OK;
	if (good) {
		archive_entry_set_filetype(entry, AE_IFREG);
		good = archive_write_header(archive, entry) == ARCHIVE_OK;
	}
	archive_entry_free(entry);
	if (!good && archive)
		archive_write_free(archive);
	pack->archive = good ? archive : NULL;
	return good;
}

static void add_packed(struct vmm_page_pack *pack, const char *bytes, size_t length)
{
	while (length > 0 && !pack->failed) {
		la_ssize_t n = archive_write_data(pack->archive, bytes, length);

		if (n <= 0) {
			pack->failed = true;
			return;
		}
		bytes += n;
		length -= (size_t)n;
	}
}

static void end_gzip(struct vmm_page_pack *pack)
{
	if (archive_write_close(pack->archive) != ARCHIVE_OK)
		pack->failed = true;
	archive_write_free(pack->archive);
	end_base64(pack);
}
#else
static bool begin_gzip(struct vmm_page_pack *pack)
{
	return true;
}

static void add_packed(struct vmm_page_pack *pack, const char *bytes, size_t length)
{
}

static void end_gzip(struct vmm_page_pack *pack)
{
}
#endif

int vmm_page_pack_open(struct vmm_out *out, const char *id, struct vmm_page_pack **ret_pack, struct vmm_err *err)
{
	struct vmm_page_pack *pack = vmm_alloc_hook(NULL, sizeof(*pack));

	if (!pack)
		return vmm_fail_nomem(err);
	*pack = (struct vmm_page_pack){.out = out};
	if (!begin_gzip(pack)) {
		free(pack);
		return vmm_fail_nomem(err);
	}
	vmm_out_printf(out, pack->archive ? "<script type=\"application/octet-stream\" id=\"%s\" data-encoding=\"gzip\">"
	                                  : "<script type=\"application/json\" id=\"%s\">", id);
	*ret_pack = pack;
	return 0;
}

void vmm_page_pack_bytes(struct vmm_page_pack *pack, const char *json, size_t length)
{
	if (pack->archive)
		add_packed(pack, json, length);
	else
		vmm_page_embed(pack->out, json, length);
}

void vmm_page_pack_text(struct vmm_page_pack *pack, const char *json)
{
	vmm_page_pack_bytes(pack, json, strlen(json));
}

int vmm_page_pack_memory(struct vmm_page_pack *pack, struct vmm_out *memory, struct vmm_err *err)
{
	size_t length;
	char *json = vmm_out_take(memory, &length);

	if (!json)
		return vmm_fail_nomem(err);
	vmm_page_pack_bytes(pack, json, length);
	free(json);
	return 0;
}

int vmm_page_pack_close(struct vmm_page_pack *pack, struct vmm_err *err)
{
	bool failed;

	if (!pack)
		return 0;
	if (pack->archive)
		end_gzip(pack);
	vmm_out_text(pack->out, "</script>\n");
	failed = pack->failed;
	free(pack);
	return failed ? vmm_fail(err, VMM_E_IO, 0, "the data of the page could not be packed") : 0;
}
