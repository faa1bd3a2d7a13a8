#!/bin/bash
# What the style suite's checks find, and that they pass what is right: each is run in a small repository made for it.
# checks_test.sh, from anywhere; the last line of its output is "ok".
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.org GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.org

fail() { echo "checks_test: $*" >&2; exit 1; }
finds() { # WORDS COMMAND...: it fails and says so
    local words=$1 said
    shift
    if said=$("$@" 2>&1); then fail "$* passes; wanted: $words"; fi
    case $said in *"$words"*) ;; *) fail "$* says '$said'; wanted: $words" ;; esac
}
commit() { git commit -q --allow-empty --cleanup=verbatim -F - <<<"$1"; }
refused() { # WORDS MESSAGE
    commit "$2"
    finds "$1" scripts/check-commits
    git reset -q --hard HEAD~1
}

# --- the page of columns: a small one, and what the program knows of it ---
mkdir -p "$work/columns"/{scripts,docs,src/ovsdb,src/config/ovsdb}
cp "$top/scripts/check-ovsdb" "$work/columns/scripts/"
sed -i 's|^SCHEMA = .*|SCHEMA = "schema"|; s|^PAGE_SCHEMA = .*|PAGE_SCHEMA = "1"|' "$work/columns/scripts/check-ovsdb"
cd "$work/columns"
echo '{"version": "1", "tables": {"T": {"columns": {"a": 0, "b": 0, "c": 0}}}}' >schema
printf '#define VSWITCH_TAB_COLUMNS(X) \\\n    X(A, "a", STRING, NONE, READ, -1) \\\n    X(B, "b", STRING, NONE, WRITE, -1)\n    Y(TAB, "T")\n' >src/ovsdb/vswitch.h
touch src/config/ovsdb/lacking.c
page() { printf '## Tables\n### T\n' >docs/ovsdb.md; printf '| `%s` | %s | %s | |\n' "$@" >>docs/ovsdb.md; }
page a 'acted on' 0.1 b written 0.1 c ignored -
scripts/check-ovsdb || fail "a page that is right is refused"
page a 'acted on' 0.1 b written 0.1
finds "T.c is not there" scripts/check-ovsdb
page a 'acted on' 0.1 b ignored - c ignored -
finds "T.b is said to be 'ignored', and is WRITE" scripts/check-ovsdb
page a 'acted on' 0.1 b written 0.1 c 'acted on' 0.1
finds "T.c is said to be 'acted on', and is not" scripts/check-ovsdb
page a 'acted on' 0.1 b written - c ignored - d ignored -
finds "T.d is no column" scripts/check-ovsdb
finds "T.b: a version" scripts/check-ovsdb
page a 'acted on' 0.1 b written 0.1 c ignored -
echo '    {TAB(A), NULL, "that"},' >src/config/ovsdb/lacking.c
finds "lacking.c tells of it" scripts/check-ovsdb

# --- memory: nobody ends in silence, everybody looks at what they got ---
mkdir -p "$work/memory"/{scripts,src,pmd/base}
cp "$top/scripts/check-memory" "$work/memory/scripts/"
cd "$work/memory"
git init -q .
memory() { printf '%s\n' "$@" >src/a.c; git add -A; }
echo '    abort();' >pmd/base/memory.c
memory '    p = malloc(8);' '    if (!p)' '        return NULL;' '    q->list = calloc(1, 8);' '    if (!q->list)' '        out_of_memory("a list", 8);'
scripts/check-memory || fail "who looks at what there is is refused"
memory '    if (!p)' '        abort();'
finds "a.c:2: abort()" scripts/check-memory
memory '    p = strdup(text);' '    p[0] = 0;'
finds "a.c:1: p = strdup(text);" scripts/check-memory
memory '    if (asprintf(&text, "x") < 0)' '        return NULL;'
scripts/check-memory || fail "an error that is returned is refused"

git init -q "$work/tree"
cd "$work/tree"
mkdir -p scripts docs pmd
commit $'start: make a repository\n\nThere is something before the check itself.'
cp "$top"/scripts/check-{commits,paths} scripts/
git add .
commit $'scripts: add the checks\n\nFrom here on messages are looked at.'

# --- commits ---
why=$'\n\nIt would be hard to read otherwise.'
commit "emc: confirm hits by masked compare$why"
commit "learn, tables: take OpenFlow's word for it$why"
scripts/check-commits || fail "what is right is refused"
refused "topic" "confirm hits$why"
refused "topic" "EMC: confirm hits$why"
refused "upper case" "emc: Add a way$why"
refused "not imperative" "emc: added a way$why"
refused "not imperative" "emc: dropping a way$why"
refused "more than 72" "emc: $(printf 'x%.0s' {1..70})$why"
refused "full stop" "emc: confirm hits.$why"
refused "no body" "emc: confirm hits"
refused "no blank line" $'emc: confirm hits\nby masked compare, which is enough'
refused "blank lines at the end" "emc: confirm hits$why"$'\n\n'
commit $'Something else'
scripts/check-commits HEAD~2..HEAD~1 || fail "a range is not kept to"
finds "Something else" scripts/check-commits HEAD~1..HEAD
git reset -q --hard HEAD~1

# Nothing to look at: it passes and says so.
no_history() { case $(cd "$1" && scripts/check-commits) in *"no history to look at"*) ;; *) fail "$1: does not say why it passes" ;; esac; }
git clone -q --depth 1 "file://$work/tree" "$work/shallow"
no_history "$work/shallow"
mkdir "$work/plain" && cp -r scripts "$work/plain"
GIT_CEILING_DIRECTORIES=$work no_history "$work/plain"
git init -q "$work/plain" && (cd "$work/plain" && git add . && commit 'Import')
no_history "$work/plain"

# --- paths ---
printf '/* As pmd/key.h and key.h say. */\nconst char *s = "pmd/none.c";\n' >pmd/key.h
printf 'See pmd/key.h, [key](../pmd/key.h), pmd/ and build/x.c.\n' >docs/a.md
git add .
scripts/check-paths || fail "paths that are there are refused"
for gone in 'pmd/gone.c' 'gone.h' 'src/gone/' '../pmd/gone.h'; do
    echo "See $gone." >docs/b.md && git add docs/b.md
    finds "docs/b.md:1: there is no $gone" scripts/check-paths
    git rm -qf docs/b.md
done
printf '/* Like pmd/gone.c. */\n' >pmd/b.c && git add pmd/b.c
finds "pmd/b.c:1: there is no pmd/gone.c" scripts/check-paths

# --- copies of packets, in check-layers ---
cp "$top/scripts/check-layers" scripts/
mkdir -p pmd/poll
echo 'm = rte_pktmbuf_copy(n, pool, 0, 1);' >pmd/metadata.h && git add .
scripts/check-layers || fail "pmd/metadata.h may copy packets"
for call in 'rte_pktmbuf_copy(m, pool, 0, 1)' 'rte_pktmbuf_clone(m, pool)' 'rte_mbuf_to_priv(m)'; do
    echo "x = $call;" >pmd/poll/b.c && git add pmd/poll/b.c
    finds "pmd/poll/b.c:1: uses an mbuf's private area" scripts/check-layers
done

# --- functions that nothing uses ---
git rm -qrf pmd && mkdir -p pmd src
cp "$top/scripts/check-unused" scripts/
printf 'void a(void);\nint b(int x);\n/* c(1) */\nint c(int x,\n      int y);\nint d(void);\n' >pmd/a.h
printf '#include "pmd/a.h"\nint d(void)\n{\n    return 1;\n}\n\nstatic int (*const all[])(void) = {d};\n\nvoid a(void)\n{\n    b(c(1, 2));\n    all[0]();\n}\n' >pmd/a.c
printf 'int b(int x)\n{\n    return x;\n}\n\nint c(int x,\n      int y)\n{\n    return x + c(y, "b(1)"[0]);\n}\n' >pmd/b.c
printf '#include "pmd/a.h"\nint main(void)\n{\n    a();\n}\n' >src/main.c
git add .
scripts/check-unused || fail "functions that are used are refused"
sed -i 's/b(c(1, 2))/b(2)/' pmd/a.c
finds "pmd/a.h:4: nothing of the product uses c()" scripts/check-unused
sed -i 's/b(2)/c(1, 2)/' pmd/a.c
finds "pmd/a.h:2: nothing of the product uses b()" scripts/check-unused
sed -i 's/ a();//' src/main.c
finds "pmd/a.h:1: nothing of the product uses a()" scripts/check-unused
finds "pmd/a.h:4: nothing of the product uses c()" scripts/check-unused
sed -i 's/ all\[0\]();//; s/{d}/{NULL}/' pmd/a.c
finds "pmd/a.h:6: nothing of the product uses d()" scripts/check-unused
echo ok
