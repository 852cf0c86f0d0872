#include "format/cxx_name.h"
#include "test.h"

/* As c++filt (binutils 2.40) has them, but without parameters, casts of integers and the blank of "> >". */
static const struct {
	const char *mangled, *text;
	char special;
} samples[] = {
    {"_ZTV3Foo", "Foo", 'V'},
    {"_ZTVN2ns5InnerE", "ns::Inner", 'V'},
    {"_ZTIN2ns5InnerE", "ns::Inner", 'I'},
    {"_ZTSN2ns5InnerE", "ns::Inner", 'S'},
    {"_ZTV3BoxIiE", "Box<int>", 'V'},
    {"_ZTV3MapIPKcSt6vectorIiSaIiEEE", "Map<char const*, std::vector<int, std::allocator<int>>>", 'V'},
    {"_ZTVSt13runtime_error", "std::runtime_error", 'V'},
    {"_ZTVN10__cxxabiv120__si_class_type_infoE", "__cxxabiv1::__si_class_type_info", 'V'},
    {"_ZTVN12_GLOBAL__N_16HiddenE", "(anonymous namespace)::Hidden", 'V'},
    {"_ZTVNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEE",
     "std::__cxx11::basic_ostringstream<char, std::char_traits<char>, std::allocator<char>>", 'V'},
    {"_ZTVSt15_Sp_counted_ptrIP3FooLN9__gnu_cxx12_Lock_policyE2EE",
     "std::_Sp_counted_ptr<Foo*, 2>", 'V'},
    {"_ZTV1AILi12ELin3ELb1EE", "A<12, -3, true>", 'V'},
    {"_ZTV1AIJicEE", "A<int, char>", 'V'},
    {"_ZTV1AIFviE", "", 0}, /* cut off */
    {"_ZTV1AIFviEE", "A<void (int)>", 'V'},
    {"_ZTV1AIFvvEE", "A<void ()>", 'V'},
    {"_ZTV1AIA10_iE", "A<int [10]>", 'V'},
    {"_ZTV1BIN1n1CES1_E", "B<n::C, n::C>", 'V'}, /* B is S_, n S0_, n::C S1_ */
    {"_ZN3Foo3barEv", "Foo::bar", 0},
    {"_ZNK3Foo3barEi", "Foo::bar", 0},
    {"_ZN3FooC1Ev", "Foo::Foo", 0},
    {"_ZN2ns3FooD0Ev", "ns::Foo::~Foo", 0},
    {"_ZN3BoxIN1a1bEEC2Ev", "Box<a::b>::Box", 0},
    {"_Z4mainv", "main", 0},
    {"_ZL5localv", "local", 0},
    {"_ZNSt6threadD1Ev", "std::thread::~thread", 0},
    {"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write", 0},
    {"_ZN3FooB5cxx11E", "Foo", 0},
    /* Not decoded: shown as they are. */
    {"malloc", NULL, 0},
    {"_ZN3FooplERKS_", NULL, 0},
    {"_ZZ4mainE1x", NULL, 0},
    {"_ZTV", NULL, 0},
    {"_ZTVN3FooE_", NULL, 0},
    {"_ZTV999999999999999999999Foo", NULL, 0},
    {"_ZTV9Foo", NULL, 0},
    {"_ZTVS_", NULL, 0},
    {"_ZTVS9_", NULL, 0},
    {"_ZTVSZZZZZZZZZZZ_", NULL, 0},
    {"_ZTVNSt", NULL, 0},
    {"_ZTV0", NULL, 0},
    {"_Z", NULL, 0},
    {"", NULL, 0},
};

static void test_samples(void **state)
{
	char text[300], special;

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		bool wanted = samples[i].text && samples[i].text[0];

		special = '?';
		if (vmm_cxx_name(samples[i].mangled, text, sizeof(text), &special) != wanted)
			fail_msg("%s: %s", samples[i].mangled, wanted ? "not decoded" : text);
		if (!wanted)
			continue;
		assert_string_equal(text, samples[i].text);
		assert_int_equal(special, samples[i].special);
		/* Too small a room is a failure, never a cut name. */
		assert_false(vmm_cxx_name(samples[i].mangled, text, strlen(samples[i].text), &special));
	}
}

/* Deep and long names end. */
static void test_hostile(void **state)
{
	static char name[100000];
	char text[300], special;
	const char *const parts[] = {"P", "1AI", "F", "A1_", "N", "J", "1a", "S_", "1AIS_", "K"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i]), at = 4;

		memcpy(name, "_ZTV", 4);
		for (; at + n < sizeof(name) - 1; at += n)
			memcpy(name + at, parts[i], n);
		name[at] = '\0';
		assert_false(vmm_cxx_name(name, text, sizeof(text), &special));
	}
}

TEST_MAIN(cmocka_unit_test(test_samples), cmocka_unit_test(test_hostile))
