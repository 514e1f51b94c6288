#!/bin/sh
# Deposits a corrected sick note in place of another, which is cancelled with it. Usage: 08-replace.sh old-id [new-id]
. "$(dirname "$0")/place.sh"
printf '{"id": "%s", "kind": "ecit", "replaces": "%s", "reason": "Corrected", "values": %s}' \
  "${2:-$(new_id)}" "$1" "$(cat forms/ecit/examples/illness.json)" | send /v1/documents
