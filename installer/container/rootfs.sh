#!/bin/sh
# rootfs.sh PROGRAM FOLDER: everything the program needs to run, in a folder: itself, the C library it is linked to, the authorities of
# public web servers, and a user. The image is this folder; a bare machine can run it too.
set -eu

program=$1
root=$2

if [ -e "$root" ]; then
    echo "rootfs.sh: $root exists" >&2
    exit 1
fi
# Empty folders are where engines mount.
mkdir -p "$root/etc/ssl/certs" "$root/dev" "$root/proc" "$root/run" "$root/sys" "$root/tmp"

cp "$program" "$root/econnector-server"
strip "$root/econnector-server"
chmod 0755 "$root/econnector-server"

# The dynamic linker and the libraries, at the paths where the program looks for them.
ldd "$program" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'econnector:x:65532:65532:eConnector:/:/none' > "$root/etc/passwd"
echo 'econnector:x:65532:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
