# bash completion for vmmap, written by: vmmap completions bash

_vmmap_targets()
{
	local dir name
	for dir in /proc/[0-9]*; do
		printf '%s\n' "${dir#/proc/}"
		read -r name 2>/dev/null <"$dir/comm" && [[ $name =~ ^[A-Za-z0-9._-]+$ ]] &&
			printf '%s\n' "$name"
	done
}

_vmmap_words()
{
	COMPREPLY=($(compgen -W "$1" -- "$current"))
}

# The last word of a list with commas.
_vmmap_list()
{
	local last=${current##*,}
	COMPREPLY=($(compgen -P "${current%"$last"}" -W "$1" -- "$last"))
}

_vmmap()
{
	local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}
	local commands='show at free heap strings timeline diff save record core-helper report serve gui ps help completions'
	local columns='address end kind size committed private rss pss uss shareable shared locked swap swap_pss anonymous dirty referenced huge hugetlb lazyfree ksm used unused stored used_count free free_count top overhead reserved largest_free trimmable threads blocks largest regions protection wx numa guard offset device inode vmflags page_size deleted thread name state sp build_id bits pie replaced in_memory heap reader proved label path details changes was count class protection_before start stretch region length encoding chunk chunk_size cut text pid ppid uid user mappings map_limit kernel_thread cgroup missing cmdline'
	local kinds='image mapped_file shareable heap managed_heap stack private_data device system page_table unusable free'
	COMPREPLY=()
	if [[ $current == = ]]; then
		current=
	elif [[ $option == = ]]; then
		option=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $option in
	--view) _vmmap_words 'summary regions tree heaps threads images free files'; return ;;
	--sort) _vmmap_words "$columns"; return ;;
	--where) COMPREPLY=(); return ;;
	--columns) _vmmap_list "$columns"; return ;;
	--kind) _vmmap_list "$kinds"; return ;;
	--top) COMPREPLY=(); return ;;
	--by) case ${COMP_WORDS[1]} in timeline) _vmmap_words 'type kind region heap target' ;; diff) _vmmap_words 'type kind region heap class' ;; *) _vmmap_words 'type kind region heap class target' ;; esac; return ;;
	--measure) _vmmap_words 'rss committed private size pss uss swap used'; return ;;
	--from) COMPREPLY=(); return ;;
	--to) COMPREPLY=(); return ;;
	--target) COMPREPLY=(); return ;;
	--snapshots) COMPREPLY=(); return ;;
	--width) COMPREPLY=(); return ;;
	--fail-if) COMPREPLY=(); return ;;
	--sysroot) COMPREPLY=(); return ;;
	--debug-dir) COMPREPLY=(); return ;;
	--heap) COMPREPLY=(); return ;;
	--encoding) COMPREPLY=(); return ;;
	--min) COMPREPLY=(); return ;;
	--at) COMPREPLY=(); return ;;
	--range) COMPREPLY=(); return ;;
	--watch) COMPREPLY=(); return ;;
	--format) case ${COMP_WORDS[1]} in at) _vmmap_words 'text json' ;; free) _vmmap_words 'text csv json ndjson' ;; heap) _vmmap_words 'text csv json ndjson' ;; strings) _vmmap_words 'text csv json ndjson' ;; timeline) _vmmap_words 'text csv json' ;; diff) _vmmap_words 'text csv json ndjson' ;; ps) _vmmap_words 'text csv json ndjson' ;; *) _vmmap_words 'text csv json ndjson json-columns vmmap-csv vmmap-txt' ;; esac; return ;;
	--units) _vmmap_words 'kib bytes mib auto'; return ;;
	--color) _vmmap_words 'auto always never'; return ;;
	--output|-o) COMPREPLY=($(compgen -f -- "$current")); return ;;
	--with-memory) COMPREPLY=(); return ;;
	--every) COMPREPLY=(); return ;;
	--for) COMPREPLY=(); return ;;
	--on-growth) COMPREPLY=(); return ;;
	--keep) COMPREPLY=(); return ;;
	--cgroup) COMPREPLY=(); return ;;
	--duty) COMPREPLY=(); return ;;
	--port) COMPREPLY=(); return ;;
	--socket) COMPREPLY=(); return ;;
	--host-name) COMPREPLY=(); return ;;
	--dir) COMPREPLY=(); return ;;
	--max-size) COMPREPLY=(); return ;;
	--keep-free) COMPREPLY=(); return ;;
	--then) COMPREPLY=(); return ;;
	--process|-p) _vmmap_words "$(_vmmap_targets)"; return ;;
	help) _vmmap_words "$commands columns kinds where"; return ;;
	completions) _vmmap_words 'bash zsh fish'; return ;;
	esac
	if [[ $current == -* ]]; then
		_vmmap_words '--view --sort --where --columns --kind --top --raw --numa --by --measure --from --to --target --snapshots --width --all --fail-if --fast --stop --sysroot --debug-dir --heap --chunks --duplicates --encoding --min --at --range --map --watch --format --json --csv --units --color --output --append --force --with-memory --redact --every --for --on-growth --keep --tree --cgroup --duty --heaps --port --socket --host-name --sidecar --dir --max-size --keep-free --zstd --then --process --help --version'
	elif [[ $COMP_CWORD -eq 1 ]]; then
		_vmmap_words "$commands $(_vmmap_targets)"
	else
		_vmmap_words "$(_vmmap_targets)"
	fi
}

complete -F _vmmap vmmap
