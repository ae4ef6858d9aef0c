#!/usr/bin/env bash
# Gradescope runs this once, as root, when the image is built: install Python's venv and the locked packages.
set -euo pipefail

root=${AUTOGRADER_ROOT:-/autograder}
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates
cd "$root/source/course"
bash scripts/setup python3 "$root/venv"
# An image is built once and started for each submission: nothing is looked up then that can be known now.
"$root/venv/bin/python" -m compileall -q autograder tests || true
"$root/venv/bin/autograder" doctor --course . || true
