// Objects, texts, pointers and patterns on the heap, told as JSON with their addresses, sizes and what vmmap must say
// they begin with; then it waits until its standard input closes. The sizes are malloc_usable_size()'s.
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace zoo {
struct Animal {
	virtual ~Animal();
	virtual int legs() const;
	int age = 3;
};
Animal::~Animal() {}
int Animal::legs() const { return 4; }

struct Named {
	virtual ~Named();
	const char *name = "somebody";
};
Named::~Named() {}

struct Dog : Animal, Named {
	~Dog() override;
	int legs() const override;
};
Dog::~Dog() {}
int Dog::legs() const { return 3; }

template <typename T> struct Cage {
	virtual ~Cage() {}
	T inside{};
};
} // namespace zoo

extern "C" int planted_function(int x) { return x + 1; }
extern "C" {
int planted_table[64] = {1, 2, 3};
}

static const size_t DOGS = 700, COPIES = 3000;
static bool first = true;

static void tell(const void *p, const char *type, const char *text)
{
	printf("%s{\"address\": %llu, \"size\": %zu, \"type\": \"%s\", \"text\": \"%s\"}", first ? "" : ", ",
	       (unsigned long long)(uintptr_t)p, malloc_usable_size(const_cast<void *>(p)), type, text);
	first = false;
}

static void *planted(size_t size, const void *bytes, size_t length)
{
	char *p = static_cast<char *>(malloc(size));

	memset(p, 0xd5, malloc_usable_size(p));
	for (size_t i = 64; i < size; i++)
		p[i] = static_cast<char>(i * 37);
	memcpy(p, bytes, length);
	return p;
}

static void plant_pointers()
{
	static int local_order[6] = {0};
	void *pointer = reinterpret_cast<void *>(planted_function);
	int on_stack = 5;

	tell(planted(104, &pointer, sizeof(pointer)), "function", "planted_function (");
	pointer = &planted_table[2];
	tell(planted(120, &pointer, sizeof(pointer)), "data", "planted_table+0x8 (");
	pointer = &on_stack;
	tell(planted(136, &pointer, sizeof(pointer)), "pointer", "Stack");
	pointer = malloc(24);
	tell(planted(152, &pointer, sizeof(pointer)), "pointer", "Heap, glibc main arena");
	local_order[0]++;
}

static void plant_texts()
{
	static const char mixed[] = "caf\xc3\xa9 au lait";
	static const char wide[] = "W\0i\0d\0e\0 \0t\0e\0x\0t\0\0";
	static const char evil[] = "\033[31mred";

	tell(planted(200, "hello heap", 11), "text", "hello heap");
	tell(planted(216, mixed, sizeof(mixed)), "text", "caf\\u00e9 au lait");
	tell(planted(232, wide, sizeof(wide)), "utf16", "Wide text");
	tell(planted(248, evil, 4), "bytes", "1b5b3331 d5d5d5d5");
	tell(planted(264, "cut", 3), "bytes", "637574d5");
}

static void plant_patterns()
{
	static const int64_t numbers[8] = {7, 0, -1, 1000, 12, 0, 5, 3};
	static const unsigned char zeros[64] = {};
	unsigned char same[64];

	memset(same, 0xab, sizeof(same));
	tell(planted(280, zeros, sizeof(zeros)), "zero", "");
	tell(planted(296, same, sizeof(same)), "repeated", "0xab");
	tell(planted(312, numbers, sizeof(numbers)), "numbers", "7 0 -1 1000 12 0 ...");
}

// A free chunk of many pages; the next chunk keeps it from the top.
static unsigned long long plant_freed()
{
	char *p = static_cast<char *>(malloc(90000));
	unsigned long long address = (unsigned long long)(uintptr_t)p;

	memset(p, 1, 90000);
	planted(5000, "keeps it from the top", 22);
	free(p);
	return address;
}

int main()
{
	static char buffer[65536]; // printf() must not allocate between
	static zoo::Dog *dogs[DOGS];
	static void *copies[COPIES];
	char line[64] = "the same line in very many chunks, 64 bytes of it and no more ";
	void *big;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	for (size_t i = 0; i < DOGS; i++)
		dogs[i] = new zoo::Dog;
	for (size_t i = 0; i < COPIES; i++) {
		copies[i] = planted(1000, line, sizeof(line));
		static_cast<char *>(copies[i])[999] = static_cast<char>(i); // beyond what is compared
	}
	big = planted(5000000, "the largest of all", 19);
	printf("{\"chunks\": [");
	tell(dogs[0], "object", "zoo::Dog");
	tell(new zoo::Animal, "object", "zoo::Animal");
	tell(new zoo::Cage<unsigned long>, "object", "zoo::Cage<unsigned long>");
	plant_pointers();
	plant_texts();
	plant_patterns();
	printf("], \"freed\": %llu", plant_freed());
	printf(", \"dogs\": %zu, \"dog_size\": %zu, \"copies\": %zu, \"copy_size\": %zu", DOGS, malloc_usable_size(dogs[0]), COPIES,
	       malloc_usable_size(copies[0]));
	printf(", \"copy_addresses\": [%llu, %llu]", (unsigned long long)(uintptr_t)copies[0],
	       (unsigned long long)(uintptr_t)copies[COPIES - 1]);
	printf(", \"function\": %llu, \"table\": %llu", (unsigned long long)(uintptr_t)planted_function,
	       (unsigned long long)(uintptr_t)planted_table);
	printf(", \"big\": %llu, \"big_size\": %zu}\n", (unsigned long long)(uintptr_t)big, malloc_usable_size(big));
	fflush(stdout);
	while (read(STDIN_FILENO, line, sizeof(line)) > 0) // getchar() would allocate
		;
	return planted_function(0) == 2;
}
