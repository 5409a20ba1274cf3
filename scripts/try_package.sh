#!/usr/bin/env bash
# try_package.sh FILE [PYTHON]: install a wheel or an sdist in a clean environment, and restore an example with it in a
# folder outside of this checkout. CONSTRAINTS: options for pip, such as "-c constraints.txt".
set -euo pipefail
file=$(realpath "$1")
python=$(command -v "${2:-python3}")
root=$(realpath "$(dirname "$0")/..")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m venv "$place/venv"
(cd "$root" && "$place/venv/bin/python" -m pip install --quiet ${CONSTRAINTS:-} "$file")
cp "$root/examples/noisy.png" "$root/examples/noisy-clean.png" "$place"
cd "$place"
unset PYTHONPATH
venv/bin/alr --version
venv/bin/alr denoise noisy.png --sigma 0.1 --reference noisy-clean.png -o clean.png
venv/bin/alr info --json | "$place/venv/bin/python" -c '
import json, sys
facts = json.load(sys.stdin)
sys.exit("; ".join(facts["problems"]) or facts["weights_folder"].startswith(sys.argv[1]) or None)' "$root"
test -s clean.png
echo "$(basename "$file"): installed and tested"
