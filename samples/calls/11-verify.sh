#!/bin/sh
# What is signed, by whom, when, is it intact and complete, does it chain to the trust store? Usage: 11-verify.sh signed.pdf
. "$(dirname "$0")/place.sh"
call POST /v1/verifications --header 'Content-Type: application/pdf' --data-binary "@$1"
