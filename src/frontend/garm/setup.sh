# Makes a project, a network, a profile and a certificate for runners of GARM. Run it on the host of the server, as its
# administrator, in a directory of your own, where the certificate will be. Run again it makes what is missing.
set -eu

for needed in "$client" openssl; do
    command -v "$needed" > /dev/null || { echo "$needed is missing: install it" >&2; exit 1; }
done

# Whether the server has something already.
has() {
    "$client" "$@" > /dev/null 2>&1
}

# Whether this script made it. It changes nothing of what somebody else made.
ours() {
    [ "$("$client" "$1" get "$2" user.garm-provider 2> /dev/null)" = yes ] && return
    echo "There is a $1 $2 already, which this script did not make: name another one by --$1" >&2
    exit 1
}

# What guests reach: GARM, and everything that is no local network. The bridge gives addresses and answers for names by
# itself. Everything else is rejected, as is what comes from outside.
rules=$network-guests
if has network show "$network"; then
    ours network "$network"
else
    "$client" network create "$network" --type bridge user.garm-provider=yes
fi
has network acl show "$rules" || "$client" network acl create "$rules"
"$client" network acl edit "$rules" << END
description: What runners of GARM reach
egress:
- action: allow
  description: GARM
  destination: $garm
  destination_port: "$port"
  protocol: tcp
  state: enabled
- action: allow
  description: everything that is no local network
  destination: $outside
  state: enabled
ingress: []
config: {}
END
"$client" network set "$network" security.acls "$rules"

# Images are those of the default project. A certificate for this project can use no other network, and nothing of the host.
if has project show "$project"; then
    ours project "$project"
else
    "$client" project create "$project" -c features.images=false -c features.profiles=true -c user.garm-provider=yes
fi
"$client" project set "$project" restricted true
"$client" project set "$project" restricted.networks.access "$network"
"$client" project set "$project" restricted.cluster.target allow

# Filled as long as it is empty, and then the administrator's to change.
has profile show "$profile" --project "$project" || "$client" profile create "$profile" --project "$project"
if [ -z "$("$client" profile device list "$profile" --project "$project")" ]; then
    "$client" profile edit "$profile" --project "$project" << END
description: Runners of GARM
config: {}
devices:
  eth0:
    name: eth0
    network: $network
    type: nic
  root:
    path: /
    pool: $storage
    type: disk
END
fi

# The key is made here and goes to nobody but GARM. Both files are there or none, and nobody else's are believed.
pair=garm-client
if [ ! -e "$pair" ]; then
    new=$(mktemp -d ./garm-client.XXXXXX)
    trap 'rm -rf "$new"' EXIT
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=garm-$project" \
        -keyout "$new/client.key" -out "$new/client.crt" 2> /dev/null
    mv "$new" "$pair"
fi
if [ -L "$pair" ] || [ ! -O "$pair" ] || [ ! -O "$pair/client.key" ] || [ ! -O "$pair/client.crt" ]; then
    echo "$(pwd)/$pair is not what this script made: remove it, or run this in a directory of your own" >&2
    exit 1
fi
case $client in
    incus) set -- config trust add-certificate ;;
    *) set -- config trust add ;;
esac
fingerprint=$(openssl x509 -in "$pair/client.crt" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f')
has config trust show "$fingerprint" ||
    "$client" "$@" "$pair/client.crt" --name "garm-$project" --restricted --projects "$project"

echo "Done. For the provider's settings:"
echo
echo "  project_name = \"$project\""
echo "  client_certificate = \"$(pwd)/$pair/client.crt\""
echo "  client_key = \"$(pwd)/$pair/client.key\""
echo
echo "The flavor of pools is $profile. The server has to listen: $client config set core.https_address :8443"
