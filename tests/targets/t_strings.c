/*
 * Plants strings in all sorts of places and prints where, what and how long they are; then waits until its standard
 * input closes. Usage: t_strings [MIB]: so many MiB of strings in malloc'ed blocks besides.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define AREA (1u << 20)    /* of planted strings, then a guard */
#define NOISE (1u << 20)
#define LONG (1u << 20)    /* characters of the long string */
#define SPARSE (64u << 20)

static char in_data[64] = "planted in data: \xc3\xa4 word";
static char reply[1 << 16]; /* printf() must not allocate */
static const char *separator = "";

/* Tells a string of length bytes at p; text as it must be shown, in JSON. chunk: what malloc() returned, or NULL. */
static void tell(const char *name, const void *p, size_t length, const char *encoding, const char *kind, const char *text,
                 void *chunk, const char *state)
{
	printf("%s{\"name\": \"%s\", \"address\": %llu, \"length\": %zu, \"encoding\": \"%s\", \"kind\": \"%s\", \"text\": \"%s\"",
	       separator, name, (unsigned long long)(uintptr_t)p, length, encoding, kind, text);
	if (chunk)
		printf(", \"chunk\": %llu, \"usable\": %zu, \"state\": \"%s\"", (unsigned long long)(uintptr_t)chunk,
		       malloc_usable_size(chunk), state);
	printf("}");
	separator = ", ";
}

static void wide(char *to, const char *text)
{
	for (; *text; text++, to += 2) {
		to[0] = *text;
		to[1] = '\0';
	}
	to[0] = to[1] = '\0';
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void plant(char *area, size_t at, const char *name, const char *bytes, size_t length, const char *encoding, const char *text)
{
	memcpy(area + at, bytes, length);
	tell(name, area + at, length, encoding, "private_data", text, NULL, NULL);
}

#define PLANT(at, name, bytes, encoding, text) plant(area, at, name, bytes, sizeof(bytes) - 1, encoding, text)

/* Strings of which the ends are special. */
static void plant_area(void)
{
	char *area = (char *)map(AREA + PAGE);
	static char in_utf16[256];
	const char *text = "wide and odd, over a border";

	if (mprotect(area + AREA, PAGE, PROT_NONE) != 0)
		exit(1);
	memset(area, 1, AREA);
	PLANT(100, "ascii", "just some text", "ascii", "just some text");
	PLANT(200, "tab", "tab\tinside", "ascii", "tab\\tinside");
	PLANT(300, "utf8", "Gr\xc3\xb6\xc3\x9f" "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80", "utf8", "Gr\xc3\xb6\xc3\x9f" "e \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
	PLANT(400, "bidi", "safe\xe2\x80\xae" "txt.exe", "utf8", "safe\xe2\x80\xae" "txt.exe");
	PLANT(4 * PAGE - 7, "page border", "over the border of a page", "ascii", "over the border of a page");
	PLANT(32768 - 5, "piece border", "over the border of a piece \xe2\x82\xac", "utf8", "over the border of a piece \xe2\x82\xac");
	PLANT(262144 - 29, "window border", "over the border of a window \xe2\x82\xac", "utf8", "over the border of a window \xe2\x82\xac");
	wide(in_utf16, text);
	plant(area, 524288 - 13, "utf16 over a border", in_utf16, 2 * strlen(text), "utf16", text);
	/* What is no UTF-8 ends a string. */
	memcpy(area + 1000, "\xc0\xaf", 2);
	PLANT(1002, "after overlong", "overlong before", "ascii", "overlong before");
	PLANT(1100, "before surrogate", "surrogate behind", "ascii", "surrogate behind");
	memcpy(area + 1116, "\xed\xa0\x80", 3);
	PLANT(1200, "before a cut sequence", "cut sequence behind", "ascii", "cut sequence behind");
	memcpy(area + 1219, "\xe2\x82 x", 4);
	PLANT(AREA - 16, "end of mapping", "before the guard", "ascii", "before the guard");
	printf("], \"area\": [%llu, %u], \"more\": [", (unsigned long long)(uintptr_t)area, AREA);
	separator = "";
}

static void put(char *to, const char *text)
{
	memcpy(to, text, strlen(text) + 1);
}

static void plant_heap(void)
{
	char *a = malloc(40), *b = malloc(100), *c = malloc(72), *freed = malloc(120), *after = malloc(24);

	if (!a || !b || !c || !freed || !after)
		exit(1);
	memset(b, 0, 100);
	put(a, "in the heap, one");
	wide(b + 1, "in the heap, wide");
	put(c + 8, "in the heap: \xc3\xbc");
	put(freed + 48, "freed, but still there");
	put(after, "the last one");
	tell("heap ascii", a, 16, "ascii", "heap", "in the heap, one", a, "used");
	tell("heap utf16", b + 1, 34, "utf16", "heap", "in the heap, wide", b, "used");
	tell("heap utf8", c + 8, 15, "utf8", "heap", "in the heap: \xc3\xbc", c, "used");
	tell("heap freed", freed + 48, 22, "ascii", "heap", "freed, but still there", freed, "cached");
	tell("heap last", after, 12, "ascii", "heap", "the last one", after, "used");
	free(freed);
}

int main(int argc, char **argv)
{
	unsigned long mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	char on_stack[64];
	char *noise, *long_one, *sparse;
	uint32_t random = 12345;

	setvbuf(stdout, reply, _IOFBF, sizeof(reply));
	printf("{\"strings\": [");
	plant_area();
	plant_heap();
	snprintf(on_stack, sizeof(on_stack), "planted on the stack of %s", "main");
	tell("stack", on_stack, strlen(on_stack), "ascii", "stack", on_stack, NULL, NULL);
	in_data[0] = 'P'; /* a page of our own */
	tell("data", in_data, strlen(in_data), "utf8", "image", in_data, NULL, NULL);
	long_one = (char *)map(LONG + PAGE);
	memset(long_one, 'y', LONG);
	printf("], \"long\": [%llu, %u]", (unsigned long long)(uintptr_t)long_one, LONG);
	noise = (char *)map(NOISE);
	for (size_t i = 0; i < NOISE; i++) {
		random = random * 1664525 + 1013904223;
		noise[i] = (char)(random >> 24);
	}
	printf(", \"noise\": [%llu, %u]", (unsigned long long)(uintptr_t)noise, NOISE);
	sparse = (char *)map(SPARSE);
	for (size_t i = 0; i < SPARSE; i += 37 * PAGE)
		memcpy(sparse + i + PAGE - 11, "at the end", 10);
	printf(", \"sparse\": [%llu, %u]", (unsigned long long)(uintptr_t)sparse, SPARSE);
	for (size_t i = 0; i < (mib << 20) / 64; i++) {
		char *p = malloc(48);

		if (!p)
			return 1;
		snprintf(p, 48, "one of many strings, number %09zu", i);
	}
	printf(", \"many\": %lu}\n", (mib << 20) / 64);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return on_stack[0] == 'x';
}
