package docs

import (
	"go/doc/comment"
	"io"
	"strings"

	"lightd/cmd/lightd/backup"
	"lightd/cmd/lightd/command"
	"lightd/cmd/lightd/metrics"
	"lightd/cmd/lightd/tracing"
	"lightd/desired"
	"lightd/desired/store"
	"lightd/desired/token"
	"lightd/httpapi"
	"lightd/httpapi/audit"
	"lightd/httpapi/client"
	"lightd/httpapi/files"
	"lightd/httpapi/listen"
	"lightd/httpapi/node"
	"lightd/httpapi/socket"
	"lightd/httpapi/suggest"
	"lightd/httpapi/watch"
	"lightd/httpapi/webhook"
	"lightd/observed/blueprint"
	"lightd/observed/credentials"
	"lightd/observed/drift"
	"lightd/observed/engine"
	"lightd/observed/health"
	"lightd/observed/images"
	"lightd/observed/owner"
	"lightd/observed/quota"
	"lightd/observed/snapshots"
	"lightd/observed/status"
)

// Topic is a reference text.
type Topic struct {
	Name, Short string
	// source is the doc.go of the package that the topic is about, or a text of that form.
	source string
}

// Topics are all topics, in the order in which they are listed.
var Topics = []Topic{
	{"operate", "the operator's guide, from an empty machine to its removal", operate},
	{"cli", "settings, contexts, files and output of the command line", command.Doc},
	{"spec", "the fields of a container that need more than a line", desired.Doc},
	{"states", "states, conditions with their reasons, events", status.Doc},
	{"health", "health checks: how it is found out whether a process does its work", health.Doc},
	{"quotas", "how much of the disk a volume may take", quota.Doc},
	{"images", "when images are pulled, digests, pulls that stall or fail", images.Doc},
	{"registries", "credentials for private registries", credentials.Doc},
	{"drift", "where Docker differs from a spec", drift.Doc},
	{"engines", "Docker and Podman: which ones, and what differs", engine.Doc},
	{"isolation", "what separates containers from the host, and what a spec may ask for", blueprint.Doc},
	{"api", "HTTP routes, preconditions, lists, dry runs, waiting, errors", httpapi.Doc},
	{"files", "the files of volumes: lists, reading, writing", files.Doc},
	{"watch", "a stream of changes to containers", watch.Doc},
	{"websocket", "the live console, events and statistics", socket.Doc},
	{"webhooks", "events that the daemon sends to a panel", webhook.Doc},
	{"metrics", "what Prometheus can ask, and profiles of the daemon", metrics.Doc},
	{"tracing", "traces of requests and reconciles, for OpenTelemetry", tracing.Doc},
	{"client", "the Go client", client.Doc},
	{"listen", "addresses, unix sockets, TLS and pins", listen.Doc},
	{"tokens", "who may call the API", token.Doc},
	{"scopes", "which route and which message needs which scope", httpapi.ScopesDoc()},
	{"security", "what is defended, against whom, and what is not", security},
	{"audit", "who changed what: the file, its lines, what can be lost", audit.Doc},
	{"install", "package, service, container image: what they need, upgrades, removal", install},
	{"data", "the data directory: what is in it, how to move or copy it", owner.Doc},
	{"node", "maintenance: cordon, drain, uncordon", node.Doc},
	{"backup", "backups while the daemon works, and what is made of them", backup.Doc},
	{"prune", "what \"docker system prune\" may remove", snapshots.Doc},
	{"damage", "a damaged database, a full disk, backups", store.Doc},
}

// Find returns a topic by its name.
func Find(name string) (topic Topic, found bool) {
	for _, t := range Topics {
		if t.Name == strings.ToLower(name) {
			return t, true
		}
	}
	return Topic{}, false
}

// Nearest returns the name of the topic that a misspelt one means; empty where that is not clear.
func Nearest(name string) string {
	names := make([]string, len(Topics))
	for i, t := range Topics {
		names[i] = t.Name
	}
	return suggest.Nearest(strings.ToLower(name), names, max(1, len(name)/4))
}

// codeIndent is what the lines of an example begin with.
const codeIndent = "    "

// Write writes the text. Its paragraphs are as wide as width; the lines of examples stay as they are.
func (t Topic) Write(out io.Writer, width int) error {
	var parser comment.Parser
	printer := comment.Printer{TextWidth: width, TextCodePrefix: codeIndent}
	_, err := out.Write(printer.Text(parser.Parse(reference(t.source))))
	return err
}

// reference returns the text of the package comment of source from its first heading on.
func reference(source string) string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		text, isComment := strings.CutPrefix(line, "//")
		if !isComment {
			break
		}
		if text = strings.TrimPrefix(text, " "); b.Len() > 0 || strings.HasPrefix(text, "# ") {
			b.WriteString(text)
		}
	}
	return b.String()
}
