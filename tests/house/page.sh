#!/bin/bash
# How the build gets its page: where npm fails vmmap is built without it and one warning says so, unless it must be there.
# page.sh SOURCE_FOLDER C_COMPILER
set -u
source=$1 compiler=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 checks=0

configure() # OPTION...: into $scratch/build; output in $scratch/log, its status is the result
{
	rm -rf "$scratch/build"
	cmake -S "$source" -B "$scratch/build" -DVMMAP_TESTS=OFF -DCMAKE_C_COMPILER="$compiler" "$@" >"$scratch/log" 2>&1
}

expect() # TEXT COMMAND...
{
	local text=$1
	shift
	checks=$((checks + 1))
	"$@" || { echo "FAIL: $text"; tail -20 "$scratch/log"; failed=1; }
}

# CMake breaks its warnings into lines.
says() # TEXT
{
	tr -s '\n ' ' ' <"$scratch/log" | grep -q -- "$1"
}

uses() # FILE
{
	grep -rqs -- "$1" "$scratch/build/CMakeFiles/vmmap_face.dir"
}

# Of a release the page lies beside the sources, and nothing is installed.
if [ -e "$source/.git" ]; then
	expect 'without packages it can be configured' configure -DNPM_PROGRAM=/bin/false
	expect 'a warning says that there is no page' says 'built without the page of report and serve: '
	expect 'a page that must be there cannot be missed' eval '! configure -DNPM_PROGRAM=/bin/false -DVMMAP_PAGE=on'
	expect 'it says what is needed' says 'VMMAP_PAGE=on: .*Node 18'
fi
expect 'without the page no npm is called' configure -DNPM_PROGRAM=/bin/false -DVMMAP_PAGE=off
expect 'and no warning given' eval '! says "without the page"'
expect 'a page that is built already is checked' eval '! configure -DVMMAP_PAGE_FILE="$scratch/none.html"'
echo '<!--VMMAP-DATA-->' >"$scratch/given.html"
expect 'a page that is built already is taken' configure -DNPM_PROGRAM=/bin/false -DVMMAP_PAGE_FILE="$scratch/given.html"
expect 'it is what the program is made of' uses "$scratch/given.html"
echo "$checks checks"
[ "$failed" -eq 0 ]
