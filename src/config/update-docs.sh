#!/bin/sh
# update-docs.sh write|compare DOCGEN TEMPLATE TOP
# Writes docs/configuration.md and config/sluice.schema.json, or fails with the difference if they are not what would be written.
set -eu
mode=$1 docgen=$2 template=$3 top=$4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$docgen" markdown "$template" "$top/config" "$dir/configuration.md"
"$docgen" schema "$dir/sluice.schema.json"
if [ "$mode" = write ]; then
    cp "$dir/configuration.md" "$top/docs/configuration.md"
    cp "$dir/sluice.schema.json" "$top/config/sluice.schema.json"
    exit 0
fi
if diff -u "$top/docs/configuration.md" "$dir/configuration.md" &&
    diff -u "$top/config/sluice.schema.json" "$dir/sluice.schema.json"; then
    exit 0
fi
echo "the key tables and the documents differ: run ninja -C build config-docs, and commit" >&2
exit 1
