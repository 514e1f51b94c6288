#!/bin/sh
# How far a document has come; with a volet's name, its signed PDF. Usage: 06-look.sh id [caisse]
. "$(dirname "$0")/place.sh"
call GET "/v1/documents/$1${2:+/volets/$2}"
