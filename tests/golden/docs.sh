#!/bin/bash
# Manual, guide and completions against the program's own tables: nothing missing, nothing left over.
# docs.sh VMMAP
set -u
vmmap=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
failed=0 checks=0

expect() # TEXT CONDITION...
{
	local text=$1
	shift
	checks=$((checks + 1))
	"$@" || { echo "FAIL: $text"; failed=1; }
}

options=$( ("$vmmap" --help; for c in show at free heap strings save record report serve gui diff timeline core-helper ps; do "$vmmap" help $c; done) | grep -o -- '^  \(-., \)\?--[a-z-]*' | grep -o -- '--[a-z-]*' | sort -u)
commands=$("$vmmap" --help | sed -n '/^Commands/,/^$/s/^  \([a-z][a-z]*\).*/\1/p')
expect 'options found' [ "$(wc -w <<<"$options")" -gt 15 ]
expect 'commands found' [ "$(wc -w <<<"$commands")" -gt 4 ]
for option in $options; do
	expect "vmmap.1 lacks $option" grep -q -- "${option//-/\\\\-}" "$root/man/vmmap.1"
	expect "cli.md lacks $option" grep -q -- "$option" "$root/docs/cli.md"
done
for command in $commands; do
	expect "vmmap.1 lacks $command" grep -q "^\.B vmmap $command\|^\.BR\? .*vmmap $command\|vmmap $command" "$root/man/vmmap.1"
	expect "cli.md lacks vmmap $command" grep -q "vmmap $command" "$root/docs/cli.md"
done
# Options that the manual explains but the program does not have.
for option in $(grep -o -- '\\-\\-[a-z]\+\(\\-[a-z]\+\)*' "$root/man/vmmap.1" | tr -d '\\' | sort -u); do
	expect "vmmap.1 explains $option, which there is not" grep -qx -- "$option" <<<"$options"
done
for shell in bash:vmmap.bash zsh:_vmmap fish:vmmap.fish; do
	file=$root/completions/${shell#*:}
	expect "$file is not what 'vmmap completions ${shell%:*}' writes: write it anew" cmp -s <("$vmmap" completions ${shell%:*}) "$file"
done
expect 'bash reads its completion' bash -n "$root/completions/vmmap.bash"
complete_bash() # WORDS...: what bash would offer for the last one
{
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vmmap; printf "%s\n" "${COMPREPLY[@]}"' "$root/completions/vmmap.bash" "$@"
}
expect 'bash offers views' [ "$(complete_bash vmmap 1 --view re)" = regions ]
expect 'bash offers views after =' [ "$(complete_bash vmmap 1 --view = su)" = summary ]
expect 'bash offers the next column of a list' [ "$(complete_bash vmmap 1 --columns size,swap_p)" = size,swap_pss ]
expect 'bash offers options' [ "$(complete_bash vmmap 1 --wh)" = --where ]
expect 'bash offers commands' [ "$(complete_bash vmmap completio)" = completions ]
if command -v zsh >/dev/null; then
	expect 'zsh reads its completion' zsh -n "$root/completions/_vmmap"
fi
if command -v fish >/dev/null; then
	expect 'fish reads its completion' fish --no-execute "$root/completions/vmmap.fish"
fi
if command -v groff >/dev/null; then
	expect 'groff warns about vmmap.1' [ -z "$(groff -man -ww -Tutf8 -z "$root/man/vmmap.1" 2>&1)" ]
fi
echo "$checks checks"
exit $failed
