#include "base/scan.h"
#include "format/proc_text.h"

_Static_assert(VMM_STATUS_COUNT <= 32, "known has 32 bits");

static bool key_is(const struct vmm_scan *key, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(key->end - key->p) == n && memcmp(key->p, name, n) == 0;
}

/* "    3060 kB" for memory, "1" for a count: the other unit, or bytes that do not fit, leave the field unknown. */
static bool parse_amount(struct vmm_scan s, bool count, uint64_t *ret)
{
	bool kb;

	vmm_scan_blank(&s);
	if (!vmm_scan_dec(&s, ret))
		return false;
	kb = vmm_scan_text(&s, " kB");
	vmm_scan_blank(&s);
	return vmm_scan_done(&s) && kb != count && !(kb && __builtin_mul_overflow(*ret, 1024u, ret));
}

/* The number in this place (from 0) of a list of numbers. */
static bool parse_nth(struct vmm_scan s, unsigned place, int64_t *ret)
{
	int64_t v;

	for (unsigned i = 0; i <= place; i++) {
		vmm_scan_blank(&s);
		if (!vmm_scan_int(&s, &v))
			return false;
	}
	*ret = v;
	return true;
}

static bool parse_last(struct vmm_scan s, int64_t *ret)
{
	bool any = false;
	int64_t v;

	for (vmm_scan_blank(&s); vmm_scan_int(&s, &v); vmm_scan_blank(&s)) {
		*ret = v;
		any = true;
	}
	return any && vmm_scan_done(&s);
}

static void parse_identity(const struct vmm_scan *key, struct vmm_scan value, struct vmm_status_record *r)
{
	int64_t v;

	if (key_is(key, "Name")) {
		/* One tab, then the name, which may begin with blanks of its own. */
		vmm_scan_char(&value, '\t');
		r->name = value.p;
		r->name_length = (size_t)(value.end - value.p);
	} else if (key_is(key, "State")) {
		vmm_scan_blank(&value);
		if (!vmm_scan_done(&value) && ((*value.p >= 'A' && *value.p <= 'Z') || (*value.p >= 'a' && *value.p <= 'z')))
			r->state = *value.p;
	} else if (key_is(key, "PPid") && parse_nth(value, 0, &v)) {
		r->ppid = v;
	} else if (key_is(key, "Uid") && parse_nth(value, 1, &v)) {
		r->uid = v;
	} else if (key_is(key, "NSpid") && parse_last(value, &v)) {
		r->ns_pid = v;
	}
}

/* carriage_return: the text had its line ends converted, so that one at the end is not the name's own. */
static void parse_status_line(struct vmm_scan line, bool carriage_return, struct vmm_status_record *r)
{
	static const char *const keys[] = {
#define VMM_STATUS(name, key) key,
#include "vmmap/status.def"
#undef VMM_STATUS
	};
	const char *colon = memchr(line.p, ':', (size_t)(line.end - line.p));
	struct vmm_scan key, value;
	uint64_t v;

	if (!colon)
		return;
	key = (struct vmm_scan){line.p, colon};
	value = (struct vmm_scan){colon + 1, line.end};
	if (carriage_return && value.end > value.p && value.end[-1] == '\r')
		value.end--;
	for (unsigned i = 0; i < VMM_STATUS_COUNT; i++) {
		if (!key_is(&key, keys[i]))
			continue;
		if (parse_amount(value, i == VMM_STATUS_THREADS, &v)) {
			r->value[i] = v;
			r->known |= UINT32_C(1) << i;
		}
		return;
	}
	parse_identity(&key, value, r);
}

void vmm_status_parse(const char *text, size_t length, struct vmm_status_record *ret)
{
	struct vmm_scan s = vmm_scan_init(text, length), line;
	bool carriage_return = length >= 2 && memcmp(text + length - 2, "\r\n", 2) == 0;

	memset(ret, 0, sizeof(*ret));
	ret->name = "";
	ret->ppid = ret->uid = -1;
	while (vmm_scan_line(&s, &line))
		parse_status_line(line, carriage_return, ret);
}

/* The byte of an octal escape, 0 when it is none: a name cannot hold NUL. */
static char octal_byte(const char *s, size_t length)
{
	if (length < 4 || s[1] < '0' || s[1] > '3' || s[2] < '0' || s[2] > '7' || s[3] < '0' || s[3] > '7')
		return '\0';
	return (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
}

size_t vmm_status_unescape(const char *s, size_t length, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < length;) {
		char byte = s[i] == '\\' ? octal_byte(s + i, length - i) : '\0';

		if (byte) {
			ret[n++] = byte;
			i += 4;
		} else if (s[i] == '\\' && i + 1 < length && (s[i + 1] == 'n' || s[i + 1] == '\\')) {
			ret[n++] = s[i + 1] == 'n' ? '\n' : '\\';
			i += 2;
		} else {
			ret[n++] = s[i++];
		}
	}
	return n;
}
