#!/bin/sh
# Can documents be issued now? Needs no login; the desktop names its checks only to whoever has the key.
. "$(dirname "$0")/place.sh"
call GET /status
