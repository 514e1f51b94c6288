#!/bin/sh
# Everything wrong with a sick note's values, at once. Nothing is sent; 200 whatever is found.
. "$(dirname "$0")/place.sh"
printf '{"values": %s}' "$(cat "${1:-forms/ecit/examples/illness.json}")" | send /v1/forms/ecit/check
