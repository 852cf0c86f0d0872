/*
 * How output looks: width, colours, units, and the letter that stands for a kind where there is no colour.
 * Layer: face.
 */
#ifndef VMM_FACE_LOOK_H
#define VMM_FACE_LOOK_H

#include "base/out.h"
#include "vmmap/view.h"

struct vmm_look {
	struct vmm_style style;
	unsigned rows;  /* of the terminal; 0: no limit */
	bool terminal;  /* the output is a terminal */
	bool pictures;  /* bars are wanted: on a terminal, or colour was forced */
	bool utf8;      /* the locale says so: lines and shades may be drawn with it */
};

/*
 * Looks at the descriptor and the environment (COLUMNS, TERM, NO_COLOR, COLORFGBG). when is "auto", "always", "never"
 * or NULL, units one of --units or NULL.
 */
void vmm_look_init(struct vmm_look *look, int fd, const char *when, const char *units);

/* The letter of a kind: the first of its label that no kind before it has. 'I', 'M', 'S', 'H', 'A', ... */
char vmm_kind_letter(enum vmm_kind kind);

/* "225,280 KiB" in the look's units; with AUTO "220 MiB". A size that is no whole unit is rounded to the nearest. */
void vmm_put_size(struct vmm_out *out, const struct vmm_look *look, uint64_t bytes);
/* "+12 KiB", "-4 KiB", "0". */
void vmm_put_change(struct vmm_out *out, const struct vmm_look *look, int64_t bytes);
/* The same for a metric: "?" when unknown, "≥" before a lower bound. */
void vmm_put_metric(struct vmm_out *out, const struct vmm_look *look, const struct vmm_metrics *m, enum vmm_metric i);
/* "63.9 TiB": three figures, whatever the look's units. */
void vmm_put_short_size(struct vmm_out *out, uint64_t bytes);
/* "1,234". */
void vmm_put_count(struct vmm_out *out, uint64_t count);

/* Escape sequences, nothing without colour. index: of the 256 colours. */
void vmm_put_bold(struct vmm_out *out, const struct vmm_look *look);
void vmm_put_dim(struct vmm_out *out, const struct vmm_look *look);
void vmm_put_plain(struct vmm_out *out, const struct vmm_look *look);
void vmm_put_foreground(struct vmm_out *out, const struct vmm_look *look, int index);
/* Black on this colour. */
void vmm_put_background(struct vmm_out *out, const struct vmm_look *look, int index);

/* The title of a part of a page: bold, on a line of its own below an empty one. */
void vmm_put_heading(struct vmm_out *out, const struct vmm_look *look, const char *text);

/* "I Image  H Heap ...": the key to letters and colours, wrapped to the width. bit i of kinds: enum vmm_kind i. */
void vmm_put_legend(struct vmm_out *out, const struct vmm_look *look, uint32_t kinds);

/* A sentence between 2 columns and the look's width, wrapped at its words. Destroys text, which is safe to print. */
void vmm_put_sentence(struct vmm_out *out, const struct vmm_look *look, struct vmm_out *text);

/*
 * Words of a line that is wrapped at the look's width, joined by " · " and indented on the lines after the first.
 * Start with {.out, .look, .indent}; column is where the cursor stands.
 */
struct vmm_line {
	struct vmm_out *out;
	const struct vmm_look *look;
	size_t indent, column;
	bool started;
};
/* text is safe to print and UTF-8. */
void vmm_line_add(struct vmm_line *line, const char *text);
void vmm_line_end(struct vmm_line *line);

#endif
