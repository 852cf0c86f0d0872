#!/usr/bin/env bash
# Checks the tree against the house rules (HACKING.md). Prints "ok CHECK", "FAIL CHECK" or "skip CHECK: reason" lines,
# findings before them; exit status 1 when a check failed. Usage: tools/check.sh [CHECK...]
set -uo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

# What is or would be committed; everything but build folders where there is no git.
files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . \( -name .git -o -name 'build*' \) -prune -o -type f -printf '%P\0'
	fi
}

# The same without inputs of tests, which are as they were found: fuzzing corpora, fixtures and expected output.
own_files() {
	files | grep -zvE '^tests/(.*/)?(corpus|fixtures|expected)/|^tests/golden/.*\.(txt|out|json|csv|in)$|^LICENSE$'
}

with_existing() { # the NUL-separated names on standard input that are files
	local file
	while IFS= read -r -d '' file; do
		[ -f "$file" ] && printf '%s\0' "$file"
	done
}

# Scripts of one language: its file name ending, and a pattern of its #! line.
scripts() {
	local file first
	own_files | with_existing | while IFS= read -r -d '' file; do
		IFS= read -r first <"$file" 2>/dev/null || true
		if [[ $file == *."$1" || $first =~ ^#!.*$2 ]]; then
			printf '%s\0' "$file"
		fi
	done 2>/dev/null
}

check_sources() {
	python3 tools/check_source.py . | sed 's/^ok /ok source./; s/^FAIL /FAIL source./'
	return "${PIPESTATUS[0]}"
}

check_headers() { # every header compiles alone, the public ones as strict C11 that sees no private header
	local header bad=0 cc=${CC:-gcc}
	command -v "$cc" >/dev/null || cc=clang
	for header in include/vmmap/*.h; do
		"$cc" -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c "$header" || bad=1
	done
	for header in src/*/*.h src/*/*/*.h tests/targets/*.h; do
		[ -f "$header" ] || continue
		"$cc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-parameter \
			-fsyntax-only -Iinclude -Isrc -x c "$header" || bad=1
	done
	return $bad
}

check_blanks() {
	! own_files | with_existing | xargs -0 grep -nIE '[[:blank:]]+$' -- /dev/null
}

check_paths() { # of the machine that it was written on
	! files | with_existing | grep -zvx 'tools/check.sh' |
		xargs -0 grep -naE '(^|[^[:alnum:]_.~$}-])/(work|root)(/[[:alnum:]_.-]|$)' -- /dev/null
}

check_shell() {
	local file bad=0
	while IFS= read -r -d '' file; do
		bash -n "$file" || bad=1
	done < <(scripts sh '(bash|/sh|env sh)')
	return $bad
}

check_shellcheck() {
	command -v shellcheck >/dev/null || { skip="shellcheck is not installed"; return 0; }
	scripts sh '(bash|/sh|env sh)' | xargs -0 -r shellcheck -x -S warning -e SC1090,SC1091,SC2010,SC2034
}

check_python() {
	scripts py python | xargs -0 -r python3 -c '
import ast, sys
bad = 0
for path in sys.argv[1:]:
    try:
        ast.parse(open(path, encoding="utf-8").read(), path)
    except SyntaxError as error:
        print(error)
        bad = 1
sys.exit(bad)'
}

check_links() { # relative links in the documents lead somewhere
	python3 - <<'END'
import glob, os, re, sys
bad = 0
for path in glob.glob("*.md") + glob.glob("docs/**/*.md", recursive=True):
    text = re.sub(r"```.*?```", "", open(path, encoding="utf-8").read(), flags=re.S)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", link) and not os.path.exists(os.path.join(os.path.dirname(path), link)):
            print(f"{path}: link to {link}, which does not exist")
            bad = 1
sys.exit(bad)
END
}

check_tables() { # the manual names every column, kind and error place of the tables
	python3 tools/check_docs.py .
}

failed=0
for check in "${@:-sources headers blanks paths shell shellcheck python links tables}"; do
	for name in $check; do
		skip=
		if ! "check_$name"; then
			[ "$name" = sources ] || echo "FAIL check.$name"
			failed=1
		elif [ -n "$skip" ]; then
			echo "skip check.$name: $skip"
		else
			[ "$name" = sources ] || echo "ok check.$name"
		fi
	done
done
exit $failed
