#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *text;
	int status;
} error_table[] = {
#define VMM_ERROR(name, exit_status, message) {.text = message, .status = exit_status},
#include "vmmap/errors.def"
#undef VMM_ERROR
};

const char *vmm_error_text(int code)
{
	int i = -1 - code;

	return i >= 0 && i < (int)ARRAY_LEN(error_table) ? error_table[i].text : "no error";
}

int vmm_error_status(int code)
{
	int i = -1 - code;

	return i >= 0 && i < (int)ARRAY_LEN(error_table) ? error_table[i].status : 0;
}

static void VMM_PRINTF(5, 0)
    fill(struct vmm_err *err, int code, int os, unsigned column, const char *format, va_list ap)
{
	char raw[sizeof(err->text)];

	memset(err, 0, sizeof(*err));
	err->code = code;
	err->os = os;
	err->column = column;
	vsnprintf(raw, sizeof(raw), format, ap);
	/* Names of the target may be part of the message. */
	vmm_escape_terminal(err->text, sizeof(err->text), raw, strlen(raw));
}

int vmm_fail(struct vmm_err *err, int code, int os, const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		fill(err, code, os, 0, format, ap);
		va_end(ap);
	}
	return code;
}

int vmm_fail_column(struct vmm_err *err, int code, unsigned column, const char *format, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, format);
		fill(err, code, 0, column, format, ap);
		va_end(ap);
	}
	return code;
}

int vmm_fail_nomem(struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_NOMEM, 0, "out of memory");
}
