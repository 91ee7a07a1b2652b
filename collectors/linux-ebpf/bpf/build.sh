#!/bin/sh
# Builds the BPF object: build.sh [OUTPUT], default ../spoor.bpf.o beside this folder. The same bytes from any folder, given the same clang
# (the committed one is of clang 14.0.6): a relative source name and no folder in the debug information, which carries the text of the lines.
set -eu
output=${1:-$(dirname "$0")/../spoor.bpf.o}
case $output in /*) ;; *) output=$PWD/$output ;; esac
cd "$(dirname "$0")"
"${CLANG:-clang-14}" -g -O2 -target bpf -mcpu=v2 -Wall -Werror -fdebug-compilation-dir=. "-fdebug-prefix-map=$PWD=." -c spoor.bpf.c -o "$output.new"
# .rel.BTF.ext: 75 KB of relocations that libbpf does not read.
"${LLVM_STRIP:-llvm-strip-14}" -g -R .rel.BTF.ext "$output.new"
mv "$output.new" "$output"
