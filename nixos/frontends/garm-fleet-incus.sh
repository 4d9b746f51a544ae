# shellcheck shell=bash
# What Incus needs for a fleet of GARM: pool of storage, network with its ACL, project, profiles, certificates for that project
# alone, images. A preseed could make some of it, and would take over what somebody else has under the same name.
#
# garm-fleet-incus.sh SETTINGS, where SETTINGS is the JSON that garm-fleet-incus.nix renders. It speaks to Incus of this
# host as its administrator, by the client `incus`. It looks first, changes what is otherwise, and says each change. Whatever
# it was killed at, the next run does what is left. Nothing that somebody else made is changed: what has no mark is refused.
set -euo pipefail
umask 077

settings=$1
mark=user.garm-fleet

# A value of the settings, as JSON.
setting() {
    jq --exit-status --compact-output "$1" "$settings"
}
text() {
    jq --raw-output "$1" "$settings"
}
say() {
    echo "$*"
}
refuse() {
    echo "$*" >&2
    exit 1
}
# No loop below loses its lines to it.
incus() {
    command incus "$@" < /dev/null
}
# An answer of the server, and a change there. A failure ends the script: what cannot be read is never taken for absent.
ask() {
    incus query "$1"
}
change() {
    incus query --wait --request "$1" --data "$3" "$2" > /dev/null
}

project=$(text .project.name)

# Whether something that was found has the mark.
is_ours() {
    jq --exit-status --arg mark "$mark" '.config[$mark] == "yes"' <<< "$1" > /dev/null
}

# The pool of storage. It has its mark from the first moment, and what it is cannot be changed.
make_storage() {
    local name found
    name=$(text .storage.name)
    found=$(ask '/1.0/storage-pools?recursion=1' | jq --compact-output --arg name "$name" '.[] | select(.name == $name)')
    if [[ -z $found ]]; then
        change POST /1.0/storage-pools "$(setting .storage)"
        say "Made pool of storage $name."
        return
    fi
    is_ours "$found" ||
        refuse "There is a pool of storage $name that is not of this fleet: give incus.storage.pool another name, or set $mark=yes on that one"
    [[ $(jq --raw-output .driver <<< "$found") == "$(text .storage.driver)" ]] ||
        refuse "The pool of storage $name is of another driver than $(text .storage.driver): give incus.storage.pool another name, or set incus.storage.driver as it was"
}

# A restricted project. What the server itself put into `features.` stays.
make_project() {
    local wanted found
    wanted=$(setting '.project | {description, config}')
    found=$(ask '/1.0/projects?recursion=1' | jq --compact-output --arg name "$project" '.[] | select(.name == $name)')
    if [[ -z $found ]]; then
        change POST /1.0/projects "$(setting .project)"
        say "Made project $project."
        return
    fi
    if ! is_ours "$found"; then
        refuse "There is a project $project that is not of this fleet: give incus.project another name, or set $mark=yes on that one"
    fi
    wanted=$(jq --null-input --compact-output --argjson found "$found" --argjson wanted "$wanted" \
        '{description: $wanted.description,
          config: (($found.config | with_entries(select(.key | startswith("features.")))) + $wanted.config)}')
    if ! same "$found" "$wanted" description config; then
        change PUT "/1.0/projects/$project" "$wanted"
        say "Changed project $project."
    fi
}

# Whether two objects agree in some keys.
same() {
    local found=$1 wanted=$2
    shift 2
    jq --null-input --exit-status --argjson found "$found" --argjson wanted "$wanted" \
        '$ARGS.positional | all(. as $key | $found[$key] == $wanted[$key])' --args "$@" > /dev/null
}

# The bridge and what guests reach of it. The rules are whole at once, and only then there is a network, with them and its mark.
make_network() {
    local wanted found name network
    network=$(text .network.name)
    found=$(ask '/1.0/networks?recursion=1' | jq --compact-output --arg name "$network" '.[] | select(.name == $name)')
    # Before anything is made: also one that is no network of Incus.
    if [[ -n $found ]] && ! is_ours "$found"; then
        refuse "There is a network $network that is not of this fleet: give incus.network.name another name, or set $mark=yes on that one"
    fi
    make_rules
    if [[ -z $found ]]; then
        change POST /1.0/networks "$(setting .network)"
        say "Made network $network."
        return
    fi
    wanted=$(setting .network.config)
    if ! jq --null-input --exit-status --argjson found "$found" --argjson wanted "$wanted" \
        '$wanted | to_entries | all($found.config[.key] == .value)' > /dev/null; then
        change PATCH "/1.0/networks/$network" "$(jq --compact-output '{config: .}' <<< "$wanted")"
        say "Changed network $network."
    fi
}

make_rules() {
    local wanted found name
    name=$(text .acl.name)
    wanted=$(setting .acl)
    found=$(ask '/1.0/network-acls?recursion=1' | jq --compact-output --arg name "$name" '.[] | select(.name == $name)')
    if [[ -z $found ]]; then
        change POST /1.0/network-acls "$wanted"
        say "Made network ACL $name."
    else
        if ! is_ours "$found"; then
            refuse "There is a network ACL $name that is not of this fleet: give incus.network.name another name"
        fi
        # The server adds empty values to each rule.
        found=$(jq --compact-output '.egress |= map(with_entries(select(.value != ""))) |
            .ingress |= map(with_entries(select(.value != "")))' <<< "$found")
        if ! same "$found" "$wanted" description egress ingress config; then
            change PUT "/1.0/network-acls/$name" "$wanted"
            say "Changed network ACL $name."
        fi
    fi
}

# The flavors of pools. One that is not configured any more goes when no instance has it.
make_profiles() {
    local all wanted found name
    all=$(ask "/1.0/profiles?recursion=1&project=$project")
    while read -r wanted; do
        name=$(jq --raw-output .name <<< "$wanted")
        found=$(jq --compact-output --arg name "$name" '.[] | select(.name == $name)' <<< "$all")
        if [[ -z $found ]]; then
            change POST "/1.0/profiles?project=$project" "$wanted"
            say "Made profile $name."
        elif ! same "$found" "$wanted" description config devices; then
            change PUT "/1.0/profiles/$name?project=$project" "$(jq --compact-output 'del(.name)' <<< "$wanted")"
            say "Changed profile $name."
        fi
    done < <(setting '.profiles[]')
    while read -r name; do
        incus query --wait --request DELETE "/1.0/profiles/$name?project=$project"
        say "Removed profile $name."
    done < <(jq --raw-output --argjson wanted "$(setting '[.profiles[].name]')" \
        '.[] | select(.name != "default" and .used_by == [] and (.name | IN($wanted[]) | not)) | .name' <<< "$all")
}

fingerprint_of() {
    openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f'
}

# Lets a certificate in, for the project alone, or narrows what it has. A name is anybody's, so the description has the mark; one
# whose key was made here (`own`) needs none.
admit() {
    local name=$1 file=$2 whose=${3-} fingerprint found wanted
    fingerprint=$(fingerprint_of "$file")
    wanted=$(jq --null-input --compact-output --arg name "$name" --arg project "$project" --arg mark "$mark" \
        '{name: $name, description: $mark, type: "client", restricted: true, projects: [$project]}')
    found=$(jq --compact-output --arg one "$fingerprint" '.[] | select(.fingerprint == $one)' <<< "$trusted")
    admitted+=("$fingerprint")
    if [[ -z $found ]]; then
        change POST /1.0/certificates \
            "$(jq --compact-output --arg certificate "$(sed '/^-----/d' "$file" | tr -d '\n')" '. + {certificate: $certificate}' <<< "$wanted")"
        say "Let certificate $name in, for project $project alone."
    elif [[ $whose != own && $(jq --raw-output .description <<< "$found") != "$mark" ]]; then
        refuse "The certificate of $file is let in already, by somebody else and as $(jq --raw-output .name <<< "$found"): make another one"
    elif ! same "$found" "$wanted" name description type restricted projects; then
        change PUT "/1.0/certificates/$fingerprint" "$wanted"
        say "Narrowed certificate $name to project $project."
    fi
}

# The key goes to nobody but GARM of this host. Both files are there or none.
make_certificates() {
    local directory pair new name file server fingerprint
    trusted=$(ask '/1.0/certificates?recursion=1')
    admitted=()
    directory=$(text .client)
    if [[ $directory != null ]]; then
        pair=$directory/client
        # What a run left that was killed.
        rm -rf "$directory"/new.*
        if [[ ! -e $pair ]]; then
            new=$(mktemp -d "$directory/new.XXXXXX")
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=garm-fleet" \
                -keyout "$new/client.key" -out "$new/client.crt" 2> /dev/null
            sync "$new/client.key" "$new/client.crt"
            : > "$directory/restart"
            mv -T "$new" "$pair"
            say "Made a key and a certificate for GARM."
        fi
        admit garm-fleet "$pair/client.crt" own
        # That of the server, by which GARM knows it.
        server=$(ask /1.0 | jq --raw-output .environment.certificate)
        if [[ ! -e $directory/server.crt || $server != "$(< "$directory/server.crt")" ]]; then
            echo "$server" > "$directory/new.crt"
            : > "$directory/restart"
            mv -T "$directory/new.crt" "$directory/server.crt"
            say "Wrote down the server's certificate."
        fi
    fi
    while read -r name file; do
        admit "garm-fleet-$name" "$file"
    done < <(jq --raw-output '.trusted[] | "\(.name) \(.file)"' "$settings")
    while read -r fingerprint name; do
        incus query --wait --request DELETE "/1.0/certificates/$fingerprint"
        say "Took certificate $name out."
    done < <(jq --raw-output --arg mark "$mark" '.[] | select(.description == $mark) |
        select(.fingerprint | IN($ARGS.positional[]) | not) | "\(.fingerprint) \(.name)"' \
        --args "${admitted[@]}" <<< "$trusted")
}

# Images go by where they came from: another one has another path in the store. An old one keeps its alias until the new
# one is there, and then stays for one more run, because an instance of it may be on its way.
keep_images() {
    local images used alias source metadata root fingerprint target name
    images=$(ask "/1.0/images?recursion=1&project=$project")
    used=$(ask "/1.0/instances?recursion=1&project=$project" |
        jq --compact-output '[.[].config["volatile.base_image"] | strings]')
    while read -r fingerprint; do
        incus query --wait --request DELETE "/1.0/images/$fingerprint?project=$project"
        say "Removed old image ${fingerprint:0:12}."
    done < <(jq --raw-output --argjson used "$used" --argjson wanted "$(setting '[.images[].source]')" \
        '.[] | select((.properties["garm-fleet.source"] // "") as $source |
            $source != "" and (.aliases // []) == [] and ($source | IN($wanted[]) | not) and (.fingerprint | IN($used[]) | not)) |
         .fingerprint' <<< "$images")

    while IFS=$'\t' read -r alias source metadata root; do
        images=$(ask "/1.0/images?recursion=1&project=$project")
        fingerprint=$(jq --raw-output --arg source "$source" \
            '[.[] | select(.properties["garm-fleet.source"] == $source)][0].fingerprint // ""' <<< "$images")
        if [[ -z $fingerprint ]]; then
            fingerprint=$(cat "$metadata" ${root:+"$root"} | sha256sum | cut -d ' ' -f 1)
            if jq --exit-status --arg one "$fingerprint" 'any(.fingerprint == $one)' <<< "$images" > /dev/null; then
                # The same content from another place.
                change PATCH "/1.0/images/$fingerprint?project=$project" \
                    "$(jq --null-input --compact-output --arg source "$source" '{properties: {"garm-fleet.source": $source}}')"
                say "Image ${fingerprint:0:12} comes from another place now."
            else
                incus image import "$metadata" ${root:+"$root"} --project "$project" "garm-fleet.source=$source" > /dev/null
                say "Imported image ${fingerprint:0:12} for $alias."
            fi
        fi
        target=$(ask "/1.0/images/aliases?recursion=1&project=$project" |
            jq --raw-output --arg alias "$alias" '.[] | select(.name == $alias) | .target')
        if [[ -z $target ]]; then
            change POST "/1.0/images/aliases?project=$project" "$(jq --null-input --compact-output --arg name "$alias" \
                --arg target "$fingerprint" --arg mark "$mark" '{name: $name, target: $target, description: $mark}')"
            say "Alias $alias is image ${fingerprint:0:12} now."
        elif [[ $target != "$fingerprint" ]]; then
            change PUT "/1.0/images/aliases/$alias?project=$project" "$(jq --null-input --compact-output \
                --arg target "$fingerprint" --arg mark "$mark" '{target: $target, description: $mark}')"
            say "Alias $alias is image ${fingerprint:0:12} now, and was ${target:0:12}."
        fi
    done < <(jq --raw-output '.images[] | [.alias, .source, .metadata, .root // ""] | @tsv' "$settings")

    # An alias that is not configured any more; its image goes at the next run.
    while read -r name; do
        incus query --wait --request DELETE "/1.0/images/aliases/$name?project=$project"
        say "Removed alias $name."
    done < <(ask "/1.0/images/aliases?recursion=1&project=$project" |
        jq --raw-output --argjson wanted "$(setting '[.images[].alias]')" --arg mark "$mark" \
            '.[] | select(.description == $mark and (.name | IN($wanted[]) | not)) | .name')
}

# GARM gets key and certificates when it starts. One that does not run gets them by itself.
hand_over() {
    local directory unit
    directory=$(text .client) unit=$(text .restart)
    [[ -e $directory/restart ]] || return 0
    systemctl --no-block try-restart "$unit"
    rm "$directory/restart"
}

incus admin waitready --timeout 120
make_storage
make_network
make_project
make_profiles
make_certificates
hand_over
keep_images
