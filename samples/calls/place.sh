# Where the calls go: $ECONNECTOR_PLACE names the ready file of `cargo xtask sandbox` or a desktop's connection file.
# Keys and tokens reach curl through a file descriptor: on its command line every user of the machine could read them. That is why the
# desktop's proof is checked by python3, and not by openssl, which takes a key on its command line alone.
set -eu
cd "$(dirname "$0")/../.."
place=${ECONNECTOR_PLACE:-target/ready.json}
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$place"; }
new_id() { cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen | tr 'A-Z' 'a-z'; }

# A token in the physician's name by token exchange (RFC 8693), as a hospital gets it; a training desktop's file has its stand-in's address.
exchanged_token() {
  curl --silent --show-error ${direct:+--noproxy "$direct"} --cacert "$(field ca_pem)" "$(field token_endpoint)" --config /dev/fd/3 3<<FORM | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p'
data = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange"
data = "client_id=$(field client_id)"
data = "client_secret=$(field client_secret)"
data = "requested_subject=$(field ehealth_id)"
data-urlencode = "audience=https://eadmin.lu/"
FORM
}

if [ -n "$(field key)" ]; then # a desktop: its own session, or a token of the practice software's own login
  # Without a proxy, which would read everything.
  api=$(field url) ca= direct='*'
  # After a crash another user's program may have taken the port: only the one that wrote this file knows its key.
  challenge=$(new_id)
  proof=$(printf '%s %s' "$(field key)" "$challenge" | python3 -c 'import hashlib, hmac, sys
key, challenge = sys.stdin.read().encode().split()
print(hmac.new(key, challenge, hashlib.sha256).hexdigest())')
  told=$(curl --silent --show-error --noproxy "$direct" --header "X-EConnector-Challenge: $challenge" "$api/econnector/status" |
    sed -n 's/.*"proof": *"\([0-9a-f]*\)".*/\1/p')
  [ "$told" = "$proof" ] || { echo "this is not the program of the connection file: read the file anew" >&2; exit 1; }
  headers="header = \"X-EConnector-Key: $(field key)\"
header = \"X-EConnector-Software: Sample calls/1.0\""
  [ -z "${ECONNECTOR_TOKEN:-}" ] || headers="$headers
header = \"Authorization: Bearer $ECONNECTOR_TOKEN\""
else # the hospital server
  api=$(field api) ca=$(field ca_pem) direct=
  headers="header = \"Authorization: Bearer $(exchanged_token)\""
fi

# call METHOD PATH [what else curl is to be told]: prints the answer, fails with it when it is a problem.
call() {
  method=$1 path=$2
  shift 2
  curl --silent --show-error --fail-with-body ${direct:+--noproxy "$direct"} ${ca:+--cacert "$ca"} --config /dev/fd/3 --request "$method" \
    --header 'Accept-Language: en' "$@" "$api/econnector$path" 3<<HEADERS
$headers
HEADERS
}

# send PATH: POST of the JSON on standard input.
send() { call POST "$1" --header 'Content-Type: application/json' --data-binary @-; }
