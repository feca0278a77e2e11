// Package releases has a data directory of each released version, as that version wrote it, so that no later one
// forgets how to read it. None is ever removed or made anew.
//
// A release has two of them: NAME after the daemon was stopped, and NAME-killed after it was killed, with its logs
// not merged into tables. NAME.backup is a backup of the first, and NAME.json has what the daemon answered then. A test
// opens a copy of each and restores each backup, and finds all of it again: specs with their history, ports, volumes,
// tokens, positions of webhooks, events, the cordon.
//
// The name is the tag of the version; of one from before the first tag it is the date of its commit. The oldest
// (2026-11-28) is a database alone.
//
// Whoever releases a version adds its own, as root, with the id of no machine in it:
//
//	echo 00000000000000000000000000000000 > id
//	unshare --mount sh -c 'mount --bind id /etc/machine-id &&
//		go test -tags nomsgpack -run TestReleases ./cmd/lightd -release NAME'
//
// and extends what the test writes with what is stored since.
package releases
