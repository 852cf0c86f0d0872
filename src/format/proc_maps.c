#include "base/scan.h"
#include "format/proc_text.h"

/* Column up to which the kernel pads before a name, then it writes one more space: 25 + 6 * sizeof(void *) - 1. */
enum { NAME_PAD_64 = 72, NAME_PAD_32 = 48 };

static bool parse_prot(struct vmm_scan *s, uint8_t *ret)
{
	const char *p = s->p;
	uint8_t prot = 0;

	if (s->end - p < 4 || (p[0] != 'r' && p[0] != '-') || (p[1] != 'w' && p[1] != '-') || (p[2] != 'x' && p[2] != '-') ||
	    (p[3] != 's' && p[3] != 'p'))
		return false;
	prot |= p[0] == 'r' ? VMM_PROT_READ : 0;
	prot |= p[1] == 'w' ? VMM_PROT_WRITE : 0;
	prot |= p[2] == 'x' ? VMM_PROT_EXEC : 0;
	prot |= p[3] == 's' ? VMM_PROT_SHARED : 0;
	s->p += 4;
	*ret = prot;
	return true;
}

static bool parse_device(struct vmm_scan *s, uint32_t *ret_major, uint32_t *ret_minor)
{
	uint64_t major, minor;

	if (!vmm_scan_hex(s, &major) || !vmm_scan_char(s, ':') || !vmm_scan_hex(s, &minor) || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return false;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return true;
}

/*
 * A name may begin with spaces of its own, so its start is found by the kernel's padding where the line has it. fields
 * is the length of what stands before, with the space after the inode. Text that was squeezed since starts at its
 * first visible character.
 */
static size_t name_start(const char *line, size_t length, size_t fields)
{
	static const uint8_t pads[] = {NAME_PAD_64, NAME_PAD_32};
	size_t first = fields;

	while (first < length && line[first] == ' ')
		first++;
	if (first == length)
		return length;
	for (size_t i = 0; i < ARRAY_LEN(pads); i++) {
		size_t start = (fields > pads[i] ? fields : pads[i]) + 1;

		if (first >= start)
			return start;
	}
	return first;
}

static bool parse_name(const char *line, size_t length, size_t fields, struct vmm_maps_line *ret)
{
	size_t at = name_start(line, length, fields);

	ret->name = line + at;
	ret->name_length = length - at;
	/* What a converted line end leaves of a line without a name. In a longer name it may be the file's own. */
	if (ret->name_length == 1 && ret->name[0] == '\r')
		ret->name_length = 0;
	return !memchr(ret->name, '\0', ret->name_length);
}

bool vmm_maps_parse_line(const char *line, size_t length, struct vmm_maps_line *ret)
{
	struct vmm_scan s = vmm_scan_init(line, length);
	struct vmm_maps_line m;

	if (!vmm_scan_hex(&s, &m.start) || !vmm_scan_char(&s, '-') || !vmm_scan_hex(&s, &m.end) || m.end <= m.start)
		return false;
	if (!vmm_scan_char(&s, ' ') || !parse_prot(&s, &m.prot))
		return false;
	if (!vmm_scan_char(&s, ' ') || !vmm_scan_hex(&s, &m.offset))
		return false;
	if (!vmm_scan_char(&s, ' ') || !parse_device(&s, &m.dev_major, &m.dev_minor))
		return false;
	if (!vmm_scan_char(&s, ' ') || !vmm_scan_dec(&s, &m.inode))
		return false;
	if (!vmm_scan_done(&s) && !vmm_scan_char(&s, ' ') && *s.p != '\r')
		return false;
	if (!parse_name(line, length, (size_t)(s.p - line), &m))
		return false;
	*ret = m;
	return true;
}
