#include "base/scan.h"
#include "format/proc_text.h"

/* Fields by their number in proc(5), which counts from 1. */
enum {
	STAT_PPID = 4,
	STAT_FLAGS = 9,
	STAT_THREADS = 20,
	STAT_START_TIME = 22,
	STAT_START_CODE = 26,
	STAT_END_CODE = 27,
	STAT_START_STACK = 28,
	STAT_START_DATA = 45, /* Linux 3.3 and later */
	STAT_END_DATA = 46,
	STAT_START_BRK = 47,
	STAT_ARG_START = 48, /* Linux 3.5 and later */
	STAT_ARG_END = 49,
	STAT_ENV_START = 50,
	STAT_ENV_END = 51,
	STAT_FIELDS = 53,
};

/* Numbers from the field in scan on, each at its own number. Returns the number of the first one missing. */
static unsigned parse_fields(struct vmm_scan s, unsigned first, uint64_t v[STAT_FIELDS], bool negative[STAT_FIELDS])
{
	unsigned i;

	for (i = first; i < STAT_FIELDS; i++) {
		if (!vmm_scan_char(&s, ' '))
			break;
		negative[i] = vmm_scan_char(&s, '-');
		if (!vmm_scan_dec(&s, &v[i]))
			break;
	}
	return i;
}

static void fill_addresses(const uint64_t v[STAT_FIELDS], struct vmm_stat_record *r)
{
	r->start_code = v[STAT_START_CODE];
	r->end_code = v[STAT_END_CODE];
	r->start_stack = v[STAT_START_STACK];
	r->start_data = v[STAT_START_DATA];
	r->end_data = v[STAT_END_DATA];
	r->start_brk = v[STAT_START_BRK];
	r->arg_start = v[STAT_ARG_START];
	r->arg_end = v[STAT_ARG_END];
	r->env_start = v[STAT_ENV_START];
	r->env_end = v[STAT_ENV_END];
	/* Who may not trace the process is given 1 for both ends of the code and 0 for the rest (fs/proc/array.c). */
	if (r->start_code == 1 && r->end_code == 1)
		r->start_code = r->end_code = 0;
	r->addresses = r->start_code || r->end_code || r->start_stack || r->start_data || r->end_data || r->start_brk ||
	               r->arg_start || r->arg_end || r->env_start || r->env_end;
}

bool vmm_stat_parse(const char *text, size_t length, struct vmm_stat_record *ret)
{
	struct vmm_scan s = vmm_scan_init(text, length);
	uint64_t v[STAT_FIELDS] = {0}, pid;
	bool negative[STAT_FIELDS] = {false};
	struct vmm_stat_record r = {0};
	const char *close;

	if (!vmm_scan_dec(&s, &pid) || !vmm_scan_text(&s, " ("))
		return false;
	close = memrchr(s.p, ')', (size_t)(s.end - s.p));
	if (!close || s.end - close < 4 || close[1] != ' ' || close[2] == ' ')
		return false;
	r.comm = s.p;
	r.comm_length = (size_t)(close - s.p);
	r.state = close[2];
	s.p = close + 3;
	if (parse_fields(s, STAT_PPID, v, negative) <= STAT_START_TIME)
		return false;
	if (v[STAT_PPID] > INT64_MAX || negative[STAT_FLAGS] || negative[STAT_THREADS] || negative[STAT_START_TIME])
		return false;
	r.ppid = negative[STAT_PPID] ? -(int64_t)v[STAT_PPID] : (int64_t)v[STAT_PPID];
	r.flags = v[STAT_FLAGS];
	r.threads = v[STAT_THREADS];
	r.start_ticks = v[STAT_START_TIME];
	fill_addresses(v, &r);
	*ret = r;
	return true;
}
