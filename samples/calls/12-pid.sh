#!/bin/sh
# Asks what the authority would pay, and orders the payment when it would pay all of it. Usage: 12-pid.sh [id [values.json]]
. "$(dirname "$0")/place.sh"
id=${1:-$(new_id)}
simulation=$(printf '{"id": "%s", "values": %s}' "$id" "$(cat "${2:-forms/pid/examples/consultation.json}")" | send /v1/pid/simulations)
case $simulation in
*'"payable":true'*) echo '{}' | send "/v1/pid/simulations/$id/validation" ;;
*) echo "$simulation" ;; # not a failure: the patient pays, and the form that `turns_into` names is used
esac
