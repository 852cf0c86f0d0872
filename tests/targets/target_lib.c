/* A shared object with all usual segments: text, read-only data, data, and a .bss of several pages. */
#define PAGES(n) ((n) * 4096)

int target_lib_call(int i);

const char target_lib_constant[PAGES(3)] = "constant";
char target_lib_data[PAGES(5)] = "data";
char target_lib_zero[PAGES(9)];

int target_lib_call(int i)
{
	return target_lib_constant[i] + target_lib_data[i] + target_lib_zero[i];
}
