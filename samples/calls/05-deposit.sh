#!/bin/sh
# Checks, signs and deposits a sick note. Usage: 05-deposit.sh [id [values.json]]. The same id again deposits nothing.
. "$(dirname "$0")/place.sh"
printf '{"id": "%s", "kind": "ecit", "values": %s}' "${1:-$(new_id)}" "$(cat "${2:-forms/ecit/examples/illness.json}")" | send /v1/documents
