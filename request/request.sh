#!/usr/bin/env bash
# Asks for a runner, and waits until it is online: the step of action.yml, which says what each INPUT_ is.
#
# Needs bash, also an old one, and curl. Not jq: it reads a few fields of the door's answers, and nothing of other answers.
#
# Inputs may be strangers' texts. Each is held against its grammar before it is used. The ID token goes to curl by a pipe, since
# everybody on a machine can read its command lines. To ask again is safe, also after an answer that got lost: the same label and
# class are the same order.
set -euo pipefail
# Ranges of characters are those of ASCII.
export LC_ALL=C

# What is looked for in texts. Old bashes read quotes within an expansion in another way.
percent='%' return=$'\r' newline=$'\n' command='##['

# One workflow command, whatever is in its text.
say() {
    local text=${2//"$percent"/%25}
    text=${text//"$return"/%0D}
    text=${text//"$newline"/%0A}
    printf '::%s::%s\n' "$1" "$text"
}

# One line of the log that is no command, whatever is in its text, since it begins with this one's own.
note() {
    local text
    text=$(printf '%s' "$1" | tr '\000-\037' ' ')
    # This would be one wherever it stands.
    text=${text//"$command"/#}
    printf '%s\n' "$text"
}

# A mistake in the workflow: no fall-back hides it.
check() {
    local pattern="^$2\$"
    [[ $1 =~ $pattern ]] || {
        say error "$3"
        exit 1
    }
}

address=${INPUT_ADDRESS%/} label=$INPUT_LABEL class=$INPUT_CLASS repository=$INPUT_REPOSITORY
check "$address" 'https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]+)?' "The input address is none: give it as https://HOST."
check "$label" '[A-Za-z0-9_-]{1,62}' "The input label is none: use at most 62 of a-z, 0-9, - and _."
check "$class" '[a-z0-9_]{1,16}' "The input class is none: use the name of one that the operator has configured."
check "$repository" '[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}' "The input repository is none: give it as OWNER/NAME."
check "$INPUT_WAIT" '[1-9][0-9]{0,4}' "The input wait is none: give it as seconds, 1 to 99999."
check "$INPUT_FALLBACK" '[A-Za-z0-9._-]{0,100}' "The input fallback is none: give it as one label."
audience=${INPUT_AUDIENCE:-$address}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
usual=(curl --disable --silent --show-error --globoff --proto '=https' --connect-timeout 20 --max-filesize 65536)
is_asked=

# curl with a token as its authorization, if there is one. printf is bash itself, so this is no command line.
with_token() {
    local secret=$1
    shift
    { [[ -z $secret ]] || printf 'header = "Authorization: Bearer %s"\n' "$secret"; } | "${usual[@]}" --config - "$@"
}

# Puts an ID token of the job into `token`, if it may have one.
get_token() {
    local answer pattern='"value" *: *"([A-Za-z0-9_.-]+)"'
    token=
    [[ -n ${ACTIONS_ID_TOKEN_REQUEST_URL-} ]] || return 0
    answer=$(with_token "${ACTIONS_ID_TOKEN_REQUEST_TOKEN-}" --fail --max-time 30 --get \
        --data-urlencode "audience=$audience" --url "$ACTIONS_ID_TOKEN_REQUEST_URL") || return
    # As curl says of an answer that it does not know.
    [[ $answer =~ $pattern ]] || return 8
    token=${BASH_REMATCH[1]}
}

# Asks once, and waits so many seconds. Puts the status into `status`, or 000 and curl's exit code into `fault`.
ask() {
    local seconds=$1
    status=000 fault=0
    : > "$scratch/head"
    : > "$scratch/body"
    get_token 2> "$scratch/fault" || {
        fault=$?
        return 0
    }
    is_asked=1
    status=$(with_token "$token" --request PUT --max-time $((seconds + 40)) --header 'Content-Type: application/json' \
        --data "{\"class\":\"$class\",\"repository\":\"$repository\"}" --suppress-connect-headers \
        --dump-header "$scratch/head" --output "$scratch/body" --write-out '%{http_code}' \
        --url "$address/v1/runners/$label?wait=$seconds" 2> "$scratch/fault") || {
        fault=$? status=000
    }
}

# The text of a field of the answer, one JSON object without spaces whose texts have no other escapes than those of quotes and `\`
# that matter here. Of another answer, such as a page of a proxy, it is nothing.
field() {
    local body pattern="\"$1\":\"(([^\"\\\\]|\\\\.)*)\""
    body=$(head -c 4096 "$scratch/body" | tr -d '\000')
    [[ $body =~ $pattern ]] || return 0
    body=${BASH_REMATCH[1]}
    # Of `\"` and `\\` the second character.
    printf '%s' "$body" | sed 's/\\\(["\\]\)/\1/g'
}

# In how many seconds the service wants to be asked again.
retry_after() {
    local seconds
    seconds=$(tr -d '\r' < "$scratch/head" | tr '[:upper:]' '[:lower:]' | sed -n 's/^retry-after: *\([0-9]\{1,6\}\)$/\1/p')
    # If there are several, those of proxies come first.
    seconds=${seconds##*"$newline"}
    seconds=$((10#${seconds:-0}))
    echo $((seconds > 0 ? seconds : 5))
}

# There is no runner: fails, or falls back.
give_up() {
    local why=$1
    if [[ -z $INPUT_FALLBACK ]]; then
        say error "$why"
        exit 1
    fi
    # A hint that nobody will use it. It ends by itself as well.
    if [[ -n $is_asked ]]; then
        with_token "$token" --request DELETE --max-time 20 --output "$scratch/body" \
            --url "$address/v1/runners/$label" || true
    fi
    say warning "$why The fall-back is used: $INPUT_FALLBACK."
    echo "runs-on=$INPUT_FALLBACK" >> "$GITHUB_OUTPUT"
    exit 0
}

end=$((SECONDS + INPUT_WAIT)) said=
while :; do
    left=$((end - SECONDS))
    ((left > 0)) || give_up "There was no runner in $INPUT_WAIT seconds.${said:+ $said}"
    ask $((left < 300 ? left : 300))
    said=$(field message)
    case "$status $(field state)" in
        "200 online" | "200 busy") break ;;
        "200 ending" | "200 ended")
            # Its job may have been so short that it is over, unless it has not even begun, for it waits for this one.
            [[ -n $INPUT_FALLBACK || $(field cause) != "done" ]] || break
            give_up "The runner has ended. $(field reason)"
            ;;
        "202 "*) said="The runner is $(field state)." ;;
        "000 "*)
            said=$(head -n 1 "$scratch/fault")
            said="There was no answer: ${said:-GitHub gave no ID token}."
            # An address that is none, a certificate that is not trusted, an answer that is too long: they do not mend themselves.
            case $fault in
                1 | 3 | 60 | 63 | 77) give_up "$said" ;;
            esac
            ;;
        # Those without a reason are the proxy's in front, while there is nobody behind it.
        "408 "* | "429 "* | "500 "* | "502 "* | "503 "* | "504 "*) ;;
        *) give_up "${said:-The service answers with status $status and without a reason: is its address right?}" ;;
    esac
    pause=$(retry_after)
    # Asking sooner would be refused as well.
    said=${said:-The service answers with status $status.}
    ((pause < end - SECONDS)) || give_up "$said There is no time left to ask again in $pause s."
    note "Asking again in $pause s. $said"
    sleep "$pause"
done
echo "There is a runner with the label $label"
echo "runs-on=$label" >> "$GITHUB_OUTPUT"
