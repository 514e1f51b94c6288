#!/bin/sh
# The page as it would be signed, marked as a draft: PDF on standard output; one page as SVG with Accept: image/svg+xml.
. "$(dirname "$0")/place.sh"
printf '{"values": %s}' "$(cat "${1:-forms/ecit/examples/illness.json}")" | send '/v1/forms/ecit/preview?volet=caisse'
