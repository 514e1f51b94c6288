#!/bin/sh
# Prints a token in the physician's name, of the sandbox or of a training desktop. It lives for five minutes. Usage: 00-token.sh [ready.json|connection.json]
ECONNECTOR_PLACE=${1:-${ECONNECTOR_PLACE:-target/ready.json}}
. "$(dirname "$0")/place.sh"
exchanged_token
