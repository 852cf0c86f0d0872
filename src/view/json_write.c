#include "view/json_write.h"

#include <stdio.h>

#include "view/view.h"

static const char pairs[200] = "0001020304050607080910111213141516171819"
			       "2021222324252627282930313233343536373839"
			       "4041424344454647484950515253545556575859"
			       "6061626364656667686970717273747576777879"
			       "8081828384858687888990919293949596979899";

static const uint64_t powers[20] = {1ull,
				    10ull,
				    100ull,
				    1000ull,
				    10000ull,
				    100000ull,
				    1000000ull,
				    10000000ull,
				    100000000ull,
				    1000000000ull,
				    10000000000ull,
				    100000000000ull,
				    1000000000000ull,
				    10000000000000ull,
				    100000000000000ull,
				    1000000000000000ull,
				    10000000000000000ull,
				    100000000000000000ull,
				    1000000000000000000ull,
				    10000000000000000000ull};

static unsigned digits_of(uint64_t v)
{
	/* 1233 / 4096 is a little more than log10(2). */
	unsigned guess = (unsigned)(64 - __builtin_clzll(v | 1)) * 1233 >> 12;

	return guess + (v >= powers[guess]);
}

char *vmm__json_put_dec(char *p, uint64_t v)
{
	unsigned length;
	char *at;

	if (v < 10) {
		*p = (char)('0' + v);
		return p + 1;
	}
	length = digits_of(v);
	at = p + length;
	while (v >= 100) {
		at -= 2;
		memcpy(at, pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10)
		memcpy(at - 2, pairs + v * 2, 2);
	else
		at[-1] = (char)('0' + v);
	return p + length;
}

char *vmm__json_put_address(char *p, uint64_t v)
{
	int shift = (63 - __builtin_clzll(v | 1)) & ~3;

	p = VMM__JSON_PUT(p, "\"0x");
	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	*p++ = '"';
	return p;
}

void vmm__json_keys_init(struct vmm__json_keys *keys, uint32_t mask)
{
	memset(keys, 0, sizeof(*keys));
	for (unsigned i = 0; i < VMM_METRIC_COUNT; i++) {
		int n;

		if (!((mask >> i) & 1))
			continue;
		n = snprintf(keys->key[keys->count].bytes, VMM__JSON_KEY_MAX, ",\"%s\":", vmm_metric_id((enum vmm_metric)i));
		if (n <= 0 || n >= VMM__JSON_KEY_MAX)
			continue; /* a test proves that all ids fit */
		keys->key[keys->count].length = (uint8_t)n;
		keys->key[keys->count++].metric = (uint8_t)i;
		keys->mask |= UINT32_C(1) << i;
	}
}

static char *put_bounds(char *p, const struct vmm__json_keys *keys, const struct vmm_metrics *m)
{
	bool first = true;

	p = VMM__JSON_PUT(p, ",\"at_least\":{");
	for (uint32_t i = 0; i < keys->count; i++) {
		unsigned metric = keys->key[i].metric;

		if (!((m->at_least >> metric) & 1))
			continue;
		/* The first key goes without its comma. */
		memcpy(p, keys->key[i].bytes + first, keys->key[i].length - (size_t)first);
		p += keys->key[i].length - (size_t)first;
		p = vmm__json_put_dec(p, m->value[metric]);
		first = false;
	}
	*p++ = '}';
	return p;
}

char *vmm__json_put_metrics(char *p, const struct vmm__json_keys *keys, const struct vmm_metrics *m)
{
	uint32_t known = m->known;

	for (uint32_t i = 0; i < keys->count; i++) {
		unsigned metric = keys->key[i].metric;

		memcpy(p, keys->key[i].bytes, VMM__JSON_KEY_MAX);
		p += keys->key[i].length;
		p = (known >> metric) & 1 ? vmm__json_put_dec(p, m->value[metric]) : VMM__JSON_PUT(p, "null");
	}
	return m->at_least & keys->mask ? put_bounds(p, keys, m) : p;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

/* True when some byte of eight is no printable ASCII, or needs an escape. Exact for bytes below 0x80. */
static bool odd_bytes(uint64_t v)
{
	uint64_t quote = v ^ (ONES * '"'), slash = v ^ (ONES * '\\'), del = v ^ (ONES * 0x7f);

	return (v | (v - ONES * 0x20) | (quote - ONES) | (slash - ONES) | (del - ONES)) & HIGH;
}

void vmm__json_text(struct vmm_out *out, const char *s)
{
	size_t n = s ? strlen(s) : 0, i = 0;
	uint64_t eight;
	char *p;

	if (!s) {
		vmm_out_text(out, "null");
		return;
	}
	if (n > 2048 || !vmm_out_room(out, n + 2)) {
		vmm_out_json(out, s);
		return;
	}
	p = vmm__json_at(out);
	*p++ = '"';
	for (; i + 8 <= n; i += 8) {
		memcpy(&eight, s + i, 8);
		if (odd_bytes(eight))
			break;
		memcpy(p + i, &eight, 8);
	}
	for (; i < n && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x7f && s[i] != '"' && s[i] != '\\'; i++)
		p[i] = s[i];
	if (i < n) {
		vmm_out_json(out, s); /* from the start: nothing was taken over yet */
		return;
	}
	p[n] = '"';
	vmm__json_end(out, p + n + 1);
}

void vmm__json_key_number(struct vmm_out *out, const char *key, bool known, uint64_t v)
{
	vmm_out_text(out, key);
	if (known)
		vmm_out_dec(out, v);
	else
		vmm_out_text(out, "null");
}

void vmm__json_key_signed(struct vmm_out *out, const char *key, bool known, int64_t v)
{
	vmm_out_text(out, key);
	if (known)
		vmm_out_int(out, v);
	else
		vmm_out_text(out, "null");
}

void vmm__json_key_limit(struct vmm_out *out, const char *key, bool known, uint64_t v)
{
	if (known && v == UINT64_MAX)
		vmm__json_key_text(out, key, "unlimited");
	else
		vmm__json_key_number(out, key, known, v);
}

void vmm__json_key_bool(struct vmm_out *out, const char *key, bool v)
{
	vmm_out_text(out, key);
	vmm_out_text(out, v ? "true" : "false");
}

void vmm__json_key_address(struct vmm_out *out, const char *key, bool known, uint64_t v)
{
	vmm_out_text(out, key);
	if (!known)
		vmm_out_text(out, "null");
	else if (vmm_out_room(out, VMM__JSON_ROOM))
		vmm__json_end(out, vmm__json_put_address(vmm__json_at(out), v));
}

void vmm__json_metrics(struct vmm_out *out, const struct vmm_metrics *m)
{
	struct vmm__json_keys keys;

	vmm__json_keys_init(&keys, (uint32_t)((UINT64_C(1) << VMM_METRIC_COUNT) - 1));
	if (vmm_out_room(out, VMM__JSON_ROOM))
		vmm__json_end(out, vmm__json_put_metrics(vmm__json_at(out), &keys, m));
}

void vmm__json_key_hex(struct vmm_out *out, const char *key, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	vmm_out_text(out, key);
	vmm_out_char(out, '"');
	for (size_t i = 0; i < length; i++) {
		vmm_out_char(out, digits[bytes[i] >> 4]);
		vmm_out_char(out, digits[bytes[i] & 15]);
	}
	vmm_out_char(out, '"');
}
