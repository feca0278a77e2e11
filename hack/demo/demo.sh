#!/usr/bin/env bash
# hack/demo/demo.sh: the daemon's main job on real input, played by an operator at the command line.
#
# A container is applied from a file, broken from outside, healed, inspected for drift, planned for
# another port, kept through a restart of the daemon, and deleted. What the commands print is compared
# with demo.golden, without what differs each time: times, ids, ports and names.
#
# The demo fails when anything is not as promised. However it ends, it leaves nothing behind: no
# process, container, image, volume or file.
#
# LIGHTD             the program to show (.bin/lightd)
# LIGHTD_DEMO_IMAGE  a Debian or Ubuntu image (ubuntu:22.04 if it is there, else that of hack/images)
# UPDATE=1           writes demo.golden instead of comparing with it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${LIGHTD:-$here/../../.bin/lightd}")
image=${LIGHTD_DEMO_IMAGE:-}
for name in ${!LIGHTD@}; do unset "$name"; done # the settings of another daemon
dir=$(realpath "$(mktemp -d)")
export XDG_CONFIG_HOME=$dir COLUMNS=160
daemon= watcher= id= instance= step=0

die() { echo "demo: $*" >&2; exit 1; }

# Printing: everything goes to the reader and into the transcript.

say() { printf '%s\n' "$*" | tee -a "$dir/transcript"; }
chapter() { step=$((step + 1)) && say && say "$step. $1" && say "   $2"; }
prompt() { say && say "   \$ $*"; }
output() { sed -u -e 's/\r$//' -e 's/^/   /' | tee -a "$dir/transcript"; }
show() { prompt "$@" && "$@" 2>&1 | output; } # runs a command as the reader would
lightd() { "$program" "$@"; }

# within SECONDS COMMAND...: repeats a command until it succeeds.
within() {
	local deadline=$((SECONDS + $1))
	until "${@:2}" >"$dir/attempt" 2>&1; do
		[ $SECONDS -lt $deadline ] || { cat "$dir/attempt" >&2 && die "not so after $1 s: ${*:2}"; }
		sleep 0.1
	done
}

# The parts of the story.

start_daemon() {
	prompt "lightd serve --config lightd.yaml &"
	: >"$dir/first-line"
	setsid "$program" serve --config "$dir/lightd.yaml" >"$dir/first-line" 2>>"$dir/lightd.log" &
	daemon=$!
	within 15 grep -q 'accepts requests on' "$dir/first-line"
	output <"$dir/first-line"
	LIGHTD_URL=$(sed -n 's/.*accepts requests on //p' "$dir/first-line")
	export LIGHTD_URL LIGHTD_TOKEN_FILE=$dir/data/token
	within 15 curl -fsS --noproxy '*' "$LIGHTD_URL/readyz"
}

stop_daemon() {
	local deadline=$((SECONDS + 15)) code=0
	kill -TERM "$daemon" 2>/dev/null || true
	while kill -0 "$daemon" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
	kill -KILL "$daemon" 2>/dev/null || true
	wait "$daemon" || code=$?
	daemon=
	return $code
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
next_free() { local port=$1 && until is_free "$port"; do port=$((port + 1)); done && echo "$port"; }

# fetch PORT: what the program answers, which is the volume's notes.txt.
fetch() { prompt "curl http://127.0.0.1:$1" && curl -fsS --noproxy '*' --max-time 10 "http://127.0.0.1:$1" | output; }

# console LINE ANSWER: types a line at the container's console and waits for the line that matches.
console() {
	prompt "echo '$1' | lightd attach $id"
	{ echo "$1" && within 20 grep -q "$2" "$dir/console"; } | lightd attach "$id" >"$dir/console" 2>&1
	grep -m 1 "$2" "$dir/console" | sed 's/ (.*//' | output
}

# healed COMMAND...: breaks something, and shows the events until the container runs again.
healed() {
	local events=$dir/events last
	last=$(lightd events "$id" --tail 1 | awk '{last = $1} END {print last}')
	"$program" events "$id" --watch --after "$last" >"$events" &
	watcher=$!
	prompt "$@" && "$@" >/dev/null
	within 30 grep -q ' Running ' "$events"
	kill "$watcher" && wait "$watcher" || true
	watcher=
	# Whether the ends come so fast that the next start is delayed is a matter of the machine.
	sed -nE '/ BackOff /d; s/^ *[0-9]+ +[^ ]+ +[^ ]+ +//p' "$events" | output
}

drifted() { lightd drift "$id" >"$dir/drift" && grep -q limits.memory "$dir/drift" && grep -q power "$dir/drift"; }
edit() { prompt "sed -i '$1' server.yaml" && sed -i "$1" server.yaml; }
in_docker() { docker ps -aq --filter "label=lightd.id=$id"; }
images_left() { docker images -q "lightd/$instance"; }
no_image_left() { [ -z "$(images_left)" ]; }

# owners lists the marks of all daemons on this engine, find_instance the one that this daemon has added.
owners() { docker volume ls -q --filter label=lightd.owner | sort; }
find_instance() { instance=$(owners | comm -13 "$dir/owners" - | sed -n 's/^lightd-owner-//p'); }

# mask puts names in the place of what differs each time.
mask() {
	sed -E -e "s/$ports_pattern/PORT/g; s|$image|IMAGE|g; s/$id/my-server-001/g; s|$dir|DIR|g" \
		-e 's/^(   lightd) [^ ]+ (accepts requests on).*/\1 VERSION \2 URL/; s/^(   curl) [0-9.]+$/\1 VERSION/' \
		-e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g; s/\b[0-9a-f]{12}\b/CONTAINER/g' \
		-e 's/\b([0-9]+m)?[0-9.]+m?s\b/TIME/g; s/([^ ]) {2,}/\1  /g; s/ +$//'
}

compare() {
	mask <"$dir/transcript" >"$dir/masked"
	if [ -n "${UPDATE:-}" ]; then cp "$dir/masked" "$here/demo.golden"; fi
	diff -u "$here/demo.golden" "$dir/masked" >&2 || die "what was printed is not what demo.golden promises"
}

clean_up() {
	local code=$?
	trap - EXIT && trap '' INT TERM
	set +e
	if [ $code != 0 ] && [ -n "$daemon" ]; then
		printf '\nThe container as the daemon sees it:\n' && lightd describe "$id"
		printf '\nThe end of the daemon'\''s log:\n' && tail -n 10 "$dir/lightd.log"
	fi >&2
	[ -z "$watcher" ] || kill "$watcher"
	[ -z "$daemon" ] || stop_daemon || code=1
	[ -n "$instance" ] || [ ! -e "$dir/owners" ] || find_instance
	if [ -n "$instance" ]; then
		docker ps -aq --filter "label=lightd.instance=$instance" | xargs -r docker rm --force --volumes
		images_left | xargs -r docker rmi --force
		docker volume rm "lightd-owner-$instance"
	fi >/dev/null
	rm -rf "$dir"
	exit $code
}

trap clean_up EXIT
trap 'exit 130' INT TERM
command -v docker >/dev/null || "$here/../apt" docker.io
docker version >/dev/null || die 'the demo needs a Docker engine ("make engine" starts one)'
if [ -z "$image" ]; then
	image=lightd-test/debian:latest
	if docker image inspect ubuntu:22.04 >/dev/null 2>&1; then image=ubuntu:22.04; fi
fi
for n in $(seq -f %03g 999); do
	id=my-server-$n
	if [ -z "$(docker ps -aq --filter "name=lightd[-_](install-)?$id$")" ]; then break; fi
done
trap 'echo "demo: failed in step $step: $BASH_COMMAND" >&2' ERR
cd "$dir"
mkdir shared && cp "$here/hello.pl" shared
port1=$(next_free 25565) && port2=$(next_free $((port1 + 1)))
ports_pattern="($port1|$port2)"
printf '%s\n' "listen: 127.0.0.1:0" "data_dir: $dir/data" "mounts: {allowed: [$dir/shared]}" >lightd.yaml
owners >"$dir/owners"

chapter "Start a daemon" "One binary on an empty directory; it is ready when the database and the engine answer."
start_daemon
find_instance

chapter "Add two ports and a volume" "Containers get ports of the pool, and no others."
show lightd port add "$port1" "$port2"
show lightd volume create
volume=$(lightd volume list | awk 'NR == 2 {print $1}')

chapter "Write down what should be" "A file, and one command that waits until the container is installed, started and ready."
cat >server.yaml <<END
internal_id: $id
image: $image
volume_id: $volume
startup_command: bash -c 'perl hello.pl & while read -r line; do eval "\$line"; done'
start_pattern: Hello
ports:
  - {ip: 0.0.0.0, port: $port1, protocol: tcp, container_port: 25565}
limits: {memory: 512Mi, cpu: 1.0}
mount: {/custom/path: "$dir/shared"}
install_script: |
  #!/bin/bash
  set -e
  apt-get update
  apt-get install -y curl
  cp /custom/path/hello.pl .
power: running
paused: false
END
show cat server.yaml
show lightd apply -f server.yaml --wait=running --timeout=3m
fetch "$port1"
say "   The same file again changes nothing."
show lightd apply -f server.yaml
show lightd get

chapter "Type at its console" "A line goes to the standard input of the program, and its output comes back."
console 'curl --version | head -n 1' '^curl [78]'
console 'echo written before the kill > notes.txt; echo saved: $(cat notes.txt)' '^saved:'

chapter "Kill it through Docker" "The daemon restarts the same container."
container=$(in_docker)
healed docker kill "lightd-$id"
[ "$(in_docker)" = "$container" ] || die "a killed container was replaced"
fetch "$port1"

chapter "Remove it through Docker" "The daemon creates a new container; the spec, the installation and the volume are still there."
healed docker rm --force "lightd-$id"
fetch "$port1"

chapter "Inspect drift" "While the container is paused the daemon changes nothing and reports what it would do."
edit 's/paused: false/paused: true/'
show lightd apply -f server.yaml
prompt docker update --memory 256m --memory-swap 256m "lightd-$id" && docker update --memory 256m --memory-swap 256m "lightd-$id" >/dev/null
prompt docker stop "lightd-$id" && docker stop "lightd-$id" >/dev/null
within 30 drifted
show lightd drift "$id"
say "   Once it is not paused, the daemon fixes both."
edit 's/paused: true/paused: false/'
show lightd apply -f server.yaml --wait=running
show lightd drift "$id"

chapter "Plan a change, and make it" "Another port needs a new container, and the plan says so before anything is done."
edit "s/port: $port1,/port: $port2,/"
show lightd plan -f server.yaml
show lightd apply -f server.yaml --wait=running
fetch "$port2"
is_free "$port1" || die "port $port1 still answers"
console 'curl --version | head -n 1' '^curl [78]'

chapter "Restart the daemon" "The container runs on meanwhile, and is neither restarted nor recreated."
started=$(docker inspect --format '{{.Id}} {{.State.StartedAt}}' "lightd-$id")
prompt "kill %1" && stop_daemon
fetch "$port2"
start_daemon
show lightd wait "$id" --for=running
[ "$(docker inspect --format '{{.Id}} {{.State.StartedAt}}' "lightd-$id")" = "$started" ] || die "the container was restarted with the daemon"

chapter "Delete it" "The container and its installation leave Docker; the data of the volume stays."
show lightd delete "$id"
[ -z "$(in_docker)" ] || die "the container is deleted, and Docker still has it"
within 30 no_image_left
show lightd port list
prompt "cat $dir/data/volumes/$volume/notes.txt" && output <"data/volumes/$volume/notes.txt"

compare
echo
echo "All is as promised, and nothing is left behind ($SECONDS s)."
