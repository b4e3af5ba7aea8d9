#!/bin/sh
# Refresh a dataset (with RECIPE set: build it where there is none), then remove versions beyond the newest KEEP. Settings come from the environment or from the file
# named as the first argument: DATASET and INPUTS (separated by spaces) are needed, RECIPE, KEEP, OPTIONS, THRESHER may be set.
# Exit code: that of thresher; 0 also where there was nothing to do.
set -eu

if [ $# -gt 0 ]; then
    set -a
    . "$1"
    set +a
fi
: "${DATASET:?the directory of the dataset}"
: "${INPUTS:?what is read, separated by spaces}"
thresher=${THRESHER:-thresher}

set -f # patterns are for thresher
set --
for input in $INPUTS; do
    set -- "$@" --input "$input"
done
if [ -n "${RECIPE:-}" ]; then
    set -- "$@" --recipe "$RECIPE" --first
fi

# shellcheck disable=SC2086
$thresher refresh "$DATASET" "$@" --keep "${KEEP:-2}" ${OPTIONS:-}
