/* What every fuzzer includes. A finding is a sanitizer's report, or FUZZ_CHECK of something that must always hold. */
#ifndef VMM_TESTS_FUZZ_H
#define VMM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                             \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* [p, p + n) lies inside the input. */
#define FUZZ_INSIDE(p, n, data, size)                                                                       \
	FUZZ_CHECK((uintptr_t)(p) >= (uintptr_t)(data) && (n) <= (size) &&                                   \
	           (uintptr_t)(p) - (uintptr_t)(data) <= (size) - (n))

#endif
