/* What every unit test includes: cmocka with the headers it needs, and skips that say why. */
#ifndef VMM_TESTS_TEST_H
#define VMM_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST_SKIP(reason)                        \
	do {                                     \
		print_message("SKIP: %s\n", reason); \
		skip();                          \
	} while (0)

#define TEST_MAIN(...)                                            \
	int main(void)                                            \
	{                                                         \
		const struct CMUnitTest tests[] = {__VA_ARGS__};  \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
