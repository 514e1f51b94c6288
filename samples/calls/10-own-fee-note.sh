#!/bin/sh
# Deposits a fee note of one's own: the CNS XML and the page beside it, which is signed as it is. The XML carries the same id.
# Usage: 10-own-fee-note.sh [id [note.xml [page.pdf]]]
. "$(dirname "$0")/place.sh"
id=${1:-$(new_id)}
sed "s/<UUID>[^<]*</<UUID>$id</" "${2:-samples/data/fee-note.xml}" |
  call POST /v1/documents --form-string "id=$id" --form-string kind=mh --form 'xml=@-;type=application/xml' \
    --form "pdf=@${3:-samples/data/page.pdf};type=application/pdf"
