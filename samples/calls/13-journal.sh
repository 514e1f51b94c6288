#!/bin/sh
# What was sent, newest first, without patients.
. "$(dirname "$0")/place.sh"
call GET /v1/journal
