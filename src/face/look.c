#include "face/look.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/scan.h"
#include "base/text.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MIN 40
#define WIDTH_MAX 300

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static unsigned environment_number(const char *name)
{
	const char *value = environment(name);
	struct vmm_scan s = vmm_scan_init(value, strlen(value));
	uint64_t number;

	return vmm_scan_dec(&s, &number) && vmm_scan_done(&s) && number <= 10000 ? (unsigned)number : 0;
}

/* COLORFGBG is "foreground;background" in the 16 colours; terminals without it are mostly dark. */
static bool background_dark(void)
{
	const char *last = strrchr(environment("COLORFGBG"), ';');

	return !last || !(strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0);
}

/* LC_ALL, LC_CTYPE, LANG: the first that is set counts. */
static bool locale_utf8(void)
{
	const char *name = environment("LC_ALL");

	name = name[0] ? name : environment("LC_CTYPE");
	name = name[0] ? name : environment("LANG");
	return strcasestr(name, "UTF-8") || strcasestr(name, "utf8");
}

static enum vmm_units parse_units(const char *units)
{
	static const char *const names[] = {
	        [VMM_UNITS_KIB] = "kib", [VMM_UNITS_BYTES] = "bytes", [VMM_UNITS_MIB] = "mib", [VMM_UNITS_AUTO] = "auto"};

	for (size_t i = 0; units && i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], units) == 0)
			return (enum vmm_units)i;
	return VMM_UNITS_KIB;
}

void vmm_look_init(struct vmm_look *look, int fd, const char *when, const char *units)
{
	const char *term = environment("TERM");
	bool plain = environment("NO_COLOR")[0] || !term[0] || strcmp(term, "dumb") == 0;
	bool always = when && strcmp(when, "always") == 0, never = when && strcmp(when, "never") == 0;
	struct winsize size = {0};

	memset(look, 0, sizeof(*look));
	look->terminal = isatty(fd) == 1;
	look->pictures = look->terminal || always;
	look->style.colour = always || (look->terminal && !plain && !never);
	look->style.dark = background_dark();
	look->utf8 = locale_utf8();
	look->style.heading = true;
	look->style.units = parse_units(units);
	if (!look->pictures)
		return;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
		look->style.width = size.ws_col;
		look->rows = size.ws_row;
	}
	if (look->style.width == 0)
		look->style.width = environment_number("COLUMNS");
	if (look->style.width == 0)
		look->style.width = WIDTH_DEFAULT;
	look->style.width = look->style.width < WIDTH_MIN ? WIDTH_MIN : look->style.width;
	look->style.width = look->style.width > WIDTH_MAX ? WIDTH_MAX : look->style.width;
}

char vmm_kind_letter(enum vmm_kind kind)
{
	char taken[VMM_KIND_COUNT] = {0};

	for (int k = 0; k <= (int)kind; k++) {
		for (const char *p = vmm_kind_label((enum vmm_kind)k); *p && !taken[k]; p++) {
			char c = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;

			if (c >= 'A' && c <= 'Z' && !memchr(taken, c, (size_t)k))
				taken[k] = c;
		}
	}
	return taken[kind] ? taken[kind] : '?';
}

void vmm_put_count(struct vmm_out *out, uint64_t count)
{
	char text[VMM_GROUPED_BYTES];

	vmm_out_bytes(out, text, vmm_text_grouped(text, count));
}

/* bytes in units of 2^shift, rounded to the nearest. */
static uint64_t rounded(uint64_t bytes, unsigned shift)
{
	return (bytes >> shift) + (shift ? bytes >> (shift - 1) & 1 : 0);
}

void vmm_put_short_size(struct vmm_out *out, uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	uint64_t tenths;

	while (unit + 1 < ARRAY_LEN(names) && bytes >> (10 * unit) >= 1024)
		unit++;
	/* Tenths of the unit, from the part below it; no overflow: the part is cut to 10 bits first. */
	tenths = bytes >> (10 * unit);
	if (unit == 0 || tenths >= 100) {
		vmm_put_count(out, rounded(bytes, 10 * unit));
	} else {
		tenths = tenths * 10 + (((bytes >> (10 * (unit - 1))) & 1023) * 10 + 512) / 1024;
		vmm_put_count(out, tenths / 10);
		if (tenths % 10) {
			vmm_out_char(out, '.');
			vmm_out_dec(out, tenths % 10);
		}
	}
	vmm_out_char(out, ' ');
	vmm_out_text(out, names[unit]);
}

void vmm_put_size(struct vmm_out *out, const struct vmm_look *look, uint64_t bytes)
{
	static const struct {
		unsigned shift;
		const char *name;
	} units[] = {[VMM_UNITS_KIB] = {10, " KiB"}, [VMM_UNITS_BYTES] = {0, " B"}, [VMM_UNITS_MIB] = {20, " MiB"}};

	if (look->style.units == VMM_UNITS_AUTO) {
		vmm_put_short_size(out, bytes);
		return;
	}
	vmm_put_count(out, rounded(bytes, units[look->style.units].shift));
	vmm_out_text(out, units[look->style.units].name);
}

void vmm_put_change(struct vmm_out *out, const struct vmm_look *look, int64_t bytes)
{
	if (bytes == 0) {
		vmm_out_char(out, '0');
		return;
	}
	vmm_out_char(out, bytes < 0 ? '-' : '+');
	vmm_put_size(out, look, bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes);
}

void vmm_put_metric(struct vmm_out *out, const struct vmm_look *look, const struct vmm_metrics *m, enum vmm_metric i)
{
	bool bound = (m->at_least >> i) & 1;

	if (!vmm_metric_known(m, i) && !bound) {
		vmm_out_char(out, '?');
		return;
	}
	if (bound)
		vmm_out_text(out, "≥");
	vmm_put_size(out, look, m->value[i]);
}

static void put_sequence(struct vmm_out *out, const struct vmm_look *look, const char *sequence)
{
	if (look->style.colour)
		vmm_out_text(out, sequence);
}

void vmm_put_bold(struct vmm_out *out, const struct vmm_look *look)
{
	put_sequence(out, look, "\033[1m");
}

void vmm_put_dim(struct vmm_out *out, const struct vmm_look *look)
{
	put_sequence(out, look, "\033[2m");
}

void vmm_put_plain(struct vmm_out *out, const struct vmm_look *look)
{
	put_sequence(out, look, "\033[0m");
}

void vmm_put_foreground(struct vmm_out *out, const struct vmm_look *look, int index)
{
	if (look->style.colour)
		vmm_out_printf(out, "\033[38;5;%dm", index);
}

void vmm_put_background(struct vmm_out *out, const struct vmm_look *look, int index)
{
	if (look->style.colour)
		vmm_out_printf(out, "\033[38;5;16;48;5;%dm", index);
}

void vmm_put_heading(struct vmm_out *out, const struct vmm_look *look, const char *text)
{
	vmm_out_char(out, '\n');
	vmm_put_bold(out, look);
	vmm_out_text(out, text);
	vmm_put_plain(out, look);
	vmm_out_char(out, '\n');
}

void vmm_put_legend(struct vmm_out *out, const struct vmm_look *look, uint32_t kinds)
{
	size_t column = 0;

	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		const char *label = vmm_kind_label((enum vmm_kind)k);
		size_t width = strlen(label) + 2;

		if (!((kinds >> k) & 1))
			continue;
		if (column && look->style.width && column + 3 + width > look->style.width) {
			vmm_out_char(out, '\n');
			column = 0;
		} else if (column) {
			vmm_out_text(out, "   ");
			column += 3;
		}
		vmm_put_background(out, look, vmm_kind_colour256((enum vmm_kind)k));
		vmm_out_char(out, vmm_kind_letter((enum vmm_kind)k));
		vmm_put_plain(out, look);
		vmm_out_char(out, ' ');
		vmm_out_text(out, label);
		column += width;
	}
	vmm_out_char(out, '\n');
}

void vmm_line_add(struct vmm_line *line, const char *text)
{
	size_t width = vmm_text_width(text, strlen(text)), limit = line->look->style.width;

	if (line->started && limit && line->column + 3 + width > limit) {
		vmm_out_char(line->out, '\n');
		vmm_out_repeat(line->out, " ", line->indent);
		line->column = line->indent;
	} else if (line->started) {
		vmm_out_text(line->out, " · ");
		line->column += 3;
	}
	vmm_out_text(line->out, text);
	line->column += width;
	line->started = true;
}

void vmm_put_sentence(struct vmm_out *out, const struct vmm_look *look, struct vmm_out *text)
{
	VMM_CLEANUP_FREE char *all = vmm_out_take(text, NULL);
	size_t width = look->style.width, column = 2;

	vmm_out_text(out, "  ");
	for (const char *p = all ? all : ""; *p;) {
		size_t n = strcspn(p, " "), columns = vmm_text_width(p, n);

		if (width && p > all && column + 1 + columns > width) {
			vmm_out_text(out, "\n    ");
			column = 4;
		} else if (p > all) {
			vmm_out_char(out, ' ');
			column++;
		}
		vmm_out_bytes(out, p, n);
		column += columns;
		p += n + (p[n] == ' ');
	}
	vmm_out_char(out, '\n');
}

void vmm_line_end(struct vmm_line *line)
{
	vmm_out_char(line->out, '\n');
	line->started = false;
	line->column = 0;
}
