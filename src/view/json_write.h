/*
 * Writing JSON fast: digits and keys straight into the output's buffer. The caller makes room first (vmm_out_room),
 * takes p = vmm__json_at(out), and ends with vmm__json_end(out, p).
 * Layer: view.
 */
#ifndef VMM_VIEW_JSON_WRITE_H
#define VMM_VIEW_JSON_WRITE_H

#include "base/out.h"
#include "vmmap/view.h"

#define VMM__JSON_KEY_MAX 24 /* bytes of ,"swap_pss": */
/* All metrics of an object, lower bounds told a second time: keys, 20 digits each, the at_least object around. */
#define VMM__JSON_METRICS_MAX (2 * VMM_METRIC_COUNT * (VMM__JSON_KEY_MAX + 20) + 64)
#define VMM__JSON_ROOM 4096 /* enough for one object without its texts */
_Static_assert(VMM__JSON_METRICS_MAX < VMM__JSON_ROOM - 512, "an object fits into the room made for it");

/* Keys of some metrics as they stand in an object. */
struct vmm__json_keys {
	uint32_t count, mask;
	struct {
		char bytes[VMM__JSON_KEY_MAX]; /* padded: always copied whole */
		uint8_t length, metric;
	} key[VMM_METRIC_COUNT];
};

/* Keys of the metrics in mask, in the order of metrics.def. */
void vmm__json_keys_init(struct vmm__json_keys *keys, uint32_t mask);
/* ,"size":1,... and ,"at_least":{...} where there are lower bounds. Needs VMM__JSON_METRICS_MAX bytes. */
char *vmm__json_put_metrics(char *p, const struct vmm__json_keys *keys, const struct vmm_metrics *m);
char *vmm__json_put_dec(char *p, uint64_t v);
/* "0x7f12" with its quotes. */
char *vmm__json_put_address(char *p, uint64_t v);

static inline char *vmm__json_at(struct vmm_out *out)
{
	return out->buffer + out->used;
}

static inline void vmm__json_end(struct vmm_out *out, const char *p)
{
	out->used = (size_t)(p - out->buffer);
}

/* Copies a string constant. */
#define VMM__JSON_PUT(p, constant) (memcpy((p), (constant), sizeof(constant) - 1), (p) + sizeof(constant) - 1)

/* A JSON string, null for NULL; fast for plain ASCII. */
void vmm__json_text(struct vmm_out *out, const char *s);
/* key with its punctuation, then the text. */
static inline void vmm__json_key_text(struct vmm_out *out, const char *key, const char *s)
{
	vmm_out_text(out, key);
	vmm__json_text(out, s);
}
void vmm__json_key_number(struct vmm_out *out, const char *key, bool known, uint64_t v);
void vmm__json_key_signed(struct vmm_out *out, const char *key, bool known, int64_t v);
/* UINT64_MAX is "unlimited". */
void vmm__json_key_limit(struct vmm_out *out, const char *key, bool known, uint64_t v);
void vmm__json_key_bool(struct vmm_out *out, const char *key, bool v);
void vmm__json_key_address(struct vmm_out *out, const char *key, bool known, uint64_t v);
/* Bytes as pairs of hexadecimal digits, in quotes. */
void vmm__json_key_hex(struct vmm_out *out, const char *key, const unsigned char *bytes, size_t length);

#endif
