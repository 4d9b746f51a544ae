# shellcheck shell=bash
# Puts secrets into GARM's settings: garm-fleet-config.sh TEMPLATE TARGET, where a line of TEMPLATE such as
# `secret = "@jwt-secret@"` gets the content of the credential `jwt-secret`. TARGET is whole or not there, and its owner's alone.
set -euo pipefail
umask 077

template=$1 target=$2
new=$target.new
text=$(< "$template")
for name in jwt-secret database-passphrase; do
    secret=$(< "$CREDENTIALS_DIRECTORY/$name")
    # Nothing else is the same in TOML, in a line of a file and in the head of whoever wrote it.
    if [[ ! $secret =~ ^[[:graph:]]+$ || $secret == *[\"\\]* ]]; then
        echo "The file of the $name has to hold one line of printable characters, without spaces, quotes and backslashes" >&2
        exit 1
    fi
    if [[ $name == database-passphrase ]] && ((${#secret} != 32)); then
        echo "The file of the database passphrase has to hold 32 characters, and has ${#secret}: make one by \`openssl rand -hex 16\`" >&2
        exit 1
    fi
    # In quotes, because bash would take `&` for what was replaced.
    text=${text//"@$name@"/"$secret"}
done
printf '%s\n' "$text" > "$new"
mv -T "$new" "$target"
