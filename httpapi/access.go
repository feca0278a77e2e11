package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"lightd/desired/token"
	"lightd/httpapi/auth"
	"lightd/httpapi/rest"
	"lightd/httpapi/streams"
)

// access is who may use a route.
type access struct {
	// scope is what a token needs; none for a route that is answered without a token.
	scope token.Scope
	// node is true where a token must be for all containers: what the route shows or changes is shared.
	node bool
	// master is true where the master token alone will do: the answer has what every other token could live on by.
	master bool
}

var (
	public          = access{}
	needsRead       = access{scope: token.ScopeRead}
	needsReadOfAll  = access{scope: token.ScopeRead, node: true}
	needsConsole    = access{scope: token.ScopeConsole}
	needsPower      = access{scope: token.ScopePower}
	needsWrite      = access{scope: token.ScopeWrite}
	needsWriteToAll = access{scope: token.ScopeWrite, node: true}
	needsFiles      = access{scope: token.ScopeFiles}
	needsAdmin      = access{scope: token.ScopeAdmin}
	needsAdminOfAll = access{scope: token.ScopeAdmin, node: true}
	needsMaster     = access{scope: token.ScopeAdmin, node: true, master: true}
)

var errMasterOnly = rest.NewError(http.StatusForbidden, "master_only", "Only the master token may do this")

func (a access) public() bool { return a.scope == "" }

// check refuses a caller that may not use the route.
func (a access) check(who *auth.Caller) error {
	if a.public() {
		return nil
	}
	if err := who.Require(a.scope); err != nil || !a.node {
		return err
	}
	if err := who.RequireNode(); err != nil || !a.master {
		return err
	}
	if !who.Master() {
		return errMasterOnly
	}
	return nil
}

// String is a in the reference.
func (a access) String() string {
	switch {
	case a.public():
		return "no token"
	case a.master:
		return "the master token"
	case a.node:
		return string(a.scope) + ", for all containers"
	}
	return string(a.scope)
}

// ScopesDoc is the reference of who may do what, in the form of a package comment: which route, and which
// message of a WebSocket, needs which scope.
func ScopesDoc() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "// "+format+"\n", args...) }
	line("# Scopes")
	line("")
	line("What a token may do is the table of the daemon itself. A route needs the scope beside it, or one that")
	line("includes that:")
	line("")
	for _, scope := range token.AllScopes {
		if by := token.Including(scope); len(by) > 0 {
			line("\t%-8s is included in %s", scope, strings.ReplaceAll(by.Text(), ",", ", "))
		}
	}
	line("")
	line("A token for some containers may use no route that is marked \"for all containers\".")
	line("")
	line("# Routes")
	line("")
	for _, r := range (&Server{}).routes() {
		line("\t%-6s %-38s %s", r.method, r.path, r.access)
	}
	line("")
	line("# Messages of a WebSocket")
	line("")
	line("The one of a container sends whoever may open it, with the scope console, its events and statistics as well:")
	line("they need no scope of their own there. Those that a client sends need:")
	line("")
	for _, m := range streams.Messages {
		line("\t%-45s %s", m.Kind, m.Scope)
	}
	return b.String()
}
