#include "base/scan.h"
#include "format/proc_smaps.h"

_Static_assert(VMM_SMAPS_COUNT <= 32 && VMM_SMAPS_EXTRA_MAX <= 32, "known and extra_known have 32 bits");
_Static_assert(VMM_VMFLAG_COUNT < 63, "VMM_VF_KNOWN is bit 63");

static void key_set(struct smaps_key *key, const char *name, size_t length)
{
	memset(key->text, ' ', SMAPS_LABEL);
	memcpy(key->text, name, length);
	key->text[length] = ':';
	key->length = (uint8_t)(length + 1);
}

void vmm__smaps_keys_init(struct smaps_keys *k, bool keep_extras)
{
	static const char *const names[] = {
#define VMM_SMAPS(name, key) key,
#include "format/smaps.def"
#undef VMM_SMAPS
	    "VmFlags",
	};
	static const char flags[][3] = {
#define VMM_VMFLAG(code, help) #code,
#include "vmmap/vmflags.def"
#undef VMM_VMFLAG
	};

	memset(k, 0, sizeof(*k));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		key_set(&k->key[i], names[i], strlen(names[i]));
	/* Until the text shows another order, that of the table. */
	for (unsigned i = 0; i < SMAPS_KEY_COUNT; i++)
		k->key[i].next = i < SMAPS_KEY_FLAGS ? (uint8_t)(i + 1) : SMAPS_KEY_NONE;
	k->key[SMAPS_KEY_HEADER].next = 0;
	for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
		k->flag_place[(flags[i][0] - 'a') * 26 + flags[i][1] - 'a'] = (uint8_t)(i + 1);
	k->last = k->expect = SMAPS_KEY_NONE;
	k->keep_extras = keep_extras;
}

void vmm__smaps_keys_restart(struct smaps_keys *k)
{
	k->last = SMAPS_KEY_HEADER;
	k->expect = k->key[SMAPS_KEY_HEADER].next;
	k->carriage_return = false;
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '(' || c == ')';
}

/* Bytes of "Key:" at the start of a line, 0 when there is none. */
static size_t key_length(const char *line, size_t length)
{
	size_t n = 0;

	while (n < length && n < SMAPS_KEY_MAX && key_char(line[n]))
		n++;
	return n > 0 && n < length && n < SMAPS_KEY_MAX && line[n] == ':' ? n + 1 : 0;
}

static bool key_is(const struct smaps_key *key, const char *line, size_t length)
{
	return key->length == length && memcmp(key->text, line, length) == 0;
}

/* The place of a key, which may be a new extra; SMAPS_KEY_NONE when there is no room for one more. */
static unsigned key_find(struct smaps_keys *k, const char *line, size_t length)
{
	unsigned used = SMAPS_KEY_EXTRA + k->extra_count;

	if (key_is(&k->key[k->expect], line, length))
		return k->expect;
	for (unsigned i = 0; i < used; i++)
		if (key_is(&k->key[i], line, length))
			return i;
	if (!k->keep_extras || k->extra_count == VMM_SMAPS_EXTRA_MAX)
		return SMAPS_KEY_NONE;
	key_set(&k->key[used], line, length - 1);
	memcpy(k->extra_name[k->extra_count], line, length - 1);
	k->extra_count++;
	return used;
}

static void learn(struct smaps_keys *k, unsigned key)
{
	if (key == SMAPS_KEY_NONE)
		return;
	k->key[k->last].next = (uint8_t)key;
	k->last = (uint8_t)key;
	k->expect = k->key[key].next;
}

static void parse_flags(struct smaps_keys *k, struct vmm_scan s, struct vmm_smaps_record *r)
{
	const char *word;
	size_t length;

	r->vm_flags = VMM_VF_KNOWN;
	for (vmm_scan_blank(&s); vmm_scan_word(&s, &word, &length); vmm_scan_blank(&s)) {
		unsigned first = (unsigned char)word[0] - 'a', second = length == 2 ? (unsigned char)word[1] - 'a' : 26;
		unsigned place = first < 26 && second < 26 ? k->flag_place[first * 26 + second] : 0;

		if (place)
			r->vm_flags |= UINT64_C(1) << (place - 1);
		else
			k->unknown_flags++;
	}
}

/* "    8 kB" or "  0": false when there is anything else, or the bytes do not fit. */
static bool parse_value(struct vmm_scan s, uint64_t *ret, bool *ret_kb)
{
	vmm_scan_blank(&s);
	if (!vmm_scan_dec(&s, ret))
		return false;
	*ret_kb = vmm_scan_text(&s, " kB");
	vmm_scan_blank(&s);
	return vmm_scan_done(&s) && !(*ret_kb && __builtin_mul_overflow(*ret, 1024u, ret));
}

enum smaps_line vmm__smaps_field(struct smaps_keys *k, const char *line, size_t length, struct vmm_smaps_record *r)
{
	struct vmm_scan value = vmm_scan_init(line, length);
	size_t label = key_length(line, length);
	unsigned key;
	uint64_t v;
	bool kb;

	if (label == 0)
		return SMAPS_LINE_OTHER;
	value.p += label;
	if (value.end > value.p && value.end[-1] == '\r') {
		k->carriage_return = true;
		value.end--;
	}
	key = key_find(k, line, label);
	learn(k, key);
	if (key == SMAPS_KEY_FLAGS) {
		parse_flags(k, value, r);
		return SMAPS_LINE_FIELD;
	}
	/* All fields of the table are amounts of memory; a number without its unit is not guessed at. */
	if (!parse_value(value, &v, &kb) || (key < VMM_SMAPS_COUNT && !kb))
		return SMAPS_LINE_MALFORMED;
	if (key != SMAPS_KEY_NONE)
		smaps_store(r, key, v);
	return SMAPS_LINE_FIELD;
}

bool vmm_smaps_rollup_parse(const char *text, size_t length, struct vmm_smaps_record *ret)
{
	struct vmm_scan s = vmm_scan_init(text, length), line;
	struct vmm_smaps_record r;
	struct smaps_keys keys;

	memset(&r, 0, sizeof(r));
	vmm__smaps_keys_init(&keys, false);
	if (!vmm_scan_line(&s, &line) || !vmm_maps_parse_line(line.p, (size_t)(line.end - line.p), &r.maps))
		return false;
	vmm__smaps_keys_restart(&keys);
	while (vmm_scan_line(&s, &line))
		if (vmm__smaps_field(&keys, line.p, (size_t)(line.end - line.p), &r) != SMAPS_LINE_FIELD)
			return false;
	if (keys.carriage_return && r.maps.name_length && r.maps.name[r.maps.name_length - 1] == '\r')
		r.maps.name_length--;
	if (r.maps.name_length != strlen("[rollup]") || memcmp(r.maps.name, "[rollup]", r.maps.name_length) != 0)
		return false;
	*ret = r;
	return true;
}
