#!/bin/bash
# Unpack and train on a machine without a network: run.sh SECONDS [options of train.py]
# Curves, the list of runs done and the logs go to $OUT. Run again on the same machine, it goes on.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=${FLEET_WORK:-/tmp/fleet_work}
seconds=$1
shift
mkdir -p "$work"
for archive in "$here"/*.tar; do
    [ -f "$work/.unpacked" ] && break
    tar -xf "$archive" -C "$work"
done
touch "$work/.unpacked"
export PYTHONUNBUFFERED=1
exec python3 "$work/code/train.py" "$work" --out "${OUT:-$work/out}" --budget-s "$seconds" "$@"
