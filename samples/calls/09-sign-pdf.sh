#!/bin/sh
# Signs a PDF made elsewhere, and deposits nothing. Usage: 09-sign-pdf.sh [page.pdf [id]]
. "$(dirname "$0")/place.sh"
call POST /v1/signatures --form-string "id=${2:-$(new_id)}" --form "pdf=@${1:-samples/data/page.pdf};type=application/pdf"
