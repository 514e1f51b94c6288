#!/bin/sh
# Cancels a deposited document at the authority. Usage: 07-cancel.sh id [reason]. No patient's name belongs into the reason.
. "$(dirname "$0")/place.sh"
printf '{"reason": "%s"}' "${2:-Typed twice}" | send "/v1/documents/$1/cancellation"
