package engine

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// volatile is what an engine, a registry or the network puts into the text of an error that
// differs though the failure is the same: a generated endpoint id, an ephemeral port,
// whichever of its addresses a name was resolved to.
var volatile = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b(dial|read|write) (tcp|udp)[46]? \S+: `), "$1 $2: "},
	{regexp.MustCompile(`\blookup (\S+) on \S+: `), "lookup $1: "},
	{regexp.MustCompile(`(?i)\b(request[ _-]?id|host[ _-]?id|trace[ _-]?id)[:= ]+"?[^\s,;)"]+`), "$1"},
	{regexp.MustCompile(`\bcurrent time \S+ is\b`), "current time is"},
	{regexp.MustCompile(`(^|[^(])\bpid[:= ]+\d+\b`), "${1}pid"}, // "(pid 7)" is what holds a port
	{regexp.MustCompile(`/(tmp|tmpmounts)/(GetImageBlob|docker-[a-z-]+|containerd-mount|runc-process)\d+[^\s:;,"')]*`), "/$1/..."},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|us|ms)\b|\b\d+\.\d+s\b`), "some time"},
	{regexp.MustCompile(` \([0-9a-f]{12,64}\)`), ""},
}

// hexID is an id as Docker makes them, with the algorithm in front where it is a digest.
var hexID = regexp.MustCompile(`(sha256:)?\b[0-9a-f]{12,64}\b`)

// Message returns the text of err for conditions, events and log lines, without what differs between
// two failures of the same cause, so that they change only when the failure does.
// The ids in keep stay, as short as Docker shows them, and so do digests; its absolute paths stay
// unchanged.
func Message(err error, keep ...string) string {
	paths := slices.DeleteFunc(slices.Clone(keep), func(k string) bool { return !strings.HasPrefix(k, "/") || !utf8.ValidString(k) })
	if len(paths) == 0 {
		return stable(err.Error(), keep)
	}
	// The longest first: one may begin with another.
	slices.SortFunc(paths, func(a, b string) int { return len(b) - len(a) })
	for i, path := range paths {
		paths[i] = regexp.QuoteMeta(path)
	}
	whole := regexp.MustCompile(strings.Join(paths, "|"))
	text, message, from := err.Error(), "", 0
	for _, at := range whole.FindAllStringIndex(text, -1) {
		message += stable(text[from:at[0]], keep) + text[at[0]:at[1]]
		from = at[1]
	}
	return message + stable(text[from:], keep)
}

// stable returns text without what is volatile in it.
func stable(text string, keep []string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	return hexID.ReplaceAllStringFunc(text, func(id string) string {
		ours := slices.ContainsFunc(keep, func(k string) bool { return k != "" && strings.HasPrefix(k, id) })
		switch {
		case strings.HasPrefix(id, "sha256:"), strings.Trim(id, "0123456789") == "":
			return id
		case ours:
			return id[:12]
		}
		return "..."
	})
}
