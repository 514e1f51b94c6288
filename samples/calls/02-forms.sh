#!/bin/sh
# The forms of this installation; with a kind, its fields and texts; JSON Schema at /v1/forms/ecit/schema.
. "$(dirname "$0")/place.sh"
call GET "/v1/forms${1:+/$1}"
