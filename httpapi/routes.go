package httpapi

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lightd/httpapi/auth"
	"lightd/httpapi/files"
	"lightd/httpapi/rest"
	"lightd/httpapi/streams"

	"github.com/gin-gonic/gin"
)

// route is one line of the table of routes.
type route struct {
	method, path string
	// access is who may use it.
	access access
	handle handler
	// offer is what the client can be given; nil for JSON.
	offer *acceptSpec
	// query are the parameters that it has; any other is refused.
	query []string
}

// pathSockets is where a token may be in the query.
const pathSockets = "/ws"

// pathFiles is for the files of a volume.
const pathFiles = "/volumes/:id/files"

// The links to files, which need no token.
const (
	pathUploads   = "/uploads/"
	pathDownloads = "/downloads/"
)

// pathBackup is answered by a stream.
const pathBackup = "/backup"

// pathCommand takes console input, which is no desired state.
const pathCommand = "/containers/:id/command"

// acceptSpec decides by the headers of a request whether what it wants can be given.
type acceptSpec struct {
	accepts func(http.Header) bool
	refusal *rest.Error
}

var (
	givesJSON   = &acceptSpec{rest.AcceptsJSON, notAcceptable(rest.MediaVendor, rest.MediaJSON)}
	givesText   = &acceptSpec{rest.AcceptsText, notAcceptable(rest.MediaText)}
	givesStream = &acceptSpec{streams.AcceptsStream, notAcceptable(rest.MediaVendor, rest.MediaJSON, streams.MediaLines, streams.MediaEvents+" (those two of a watch)")}
	givesFile   = &acceptSpec{files.Accepts, notAcceptable(rest.MediaVendor, rest.MediaJSON, files.MediaBytes)}
	anything    = &acceptSpec{accepts: func(http.Header) bool { return true }}
)

func notAcceptable(media ...string) *rest.Error {
	return rest.NewError(http.StatusNotAcceptable, "not_acceptable", "The answer can be of type "+strings.Join(media, " or "))
}

// The query parameters of the routes; a route that is not named here has none.
var (
	dryRunParameters   = []string{rest.QueryDryRun}
	specParameters     = []string{rest.QueryDryRun, rest.QueryWait, rest.QueryTimeout}
	stopParameters     = append([]string{rest.QueryGrace}, specParameters...)
	waitParameters     = []string{rest.QueryWait, rest.QueryTimeout}
	portParameters     = []string{rest.QueryDryRun, rest.QueryProtocol}
	protocolParameters = []string{rest.QueryProtocol}
	pageParameters     = []string{rest.QueryLimit, rest.QueryContinue}
	driftParameters    = append([]string{rest.QuerySelector}, pageParameters...)
	listParameters     = append([]string{rest.QueryWatch, rest.QueryAfter, rest.QueryView}, driftParameters...)
	historyParameters  = []string{rest.QueryGeneration}
	eventParameters    = []string{rest.QueryAfter, rest.QueryLimit}
	logParameters      = []string{rest.QueryTail, rest.QuerySince, rest.QueryFollow, rest.QueryStamps}
	fileParameters     = []string{files.QueryPath, files.QueryDownload, rest.QueryLimit, rest.QueryContinue}
	putFileParameters  = []string{files.QueryPath, files.QueryMode}
	nodeSocket         = []string{rest.QueryToken, rest.QueryAfter, rest.QueryCompress}
	backupParameters   = []string{rest.QueryVolumes}
	profileParameters  = []string{rest.QuerySeconds, rest.QueryDebug}
	containerSocket    = append([]string{rest.QuerySince, rest.QueryTail}, nodeSocket...)
)

func (s *Server) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		{get, "/api/v1/public/ping", public, s.health.Ping, anything, nil},
		{get, "/healthz", public, s.health.Healthz, anything, nil},
		{get, "/readyz", public, s.health.Readyz, anything, nil},

		{post, "/containers", needsWrite, s.containers.Create, nil, specParameters},
		{get, "/containers", needsRead, s.listOrWatch, givesStream, listParameters},
		{get, "/containers/:id", needsRead, s.containers.Get, nil, nil},
		{put, "/containers/:id", needsWrite, s.containers.Put, nil, specParameters},
		{patch, "/containers/:id", needsWrite, s.containers.Patch, nil, specParameters},
		{del, "/containers/:id", needsWrite, s.containers.Delete, nil, specParameters},
		{post, "/containers/:id/start", needsPower, s.containers.Power("start"), nil, specParameters},
		{post, "/containers/:id/stop", needsPower, s.containers.Power("stop"), nil, stopParameters},
		{post, "/containers/:id/kill", needsPower, s.containers.Power("kill"), nil, specParameters},
		{post, "/containers/:id/restart", needsPower, s.containers.Power("restart"), nil, specParameters},
		{post, pathCommand, needsConsole, s.streams.SendCommand, nil, nil},
		{post, "/containers/:id/reinstall", needsWrite, s.containers.Reinstall, nil, specParameters},
		{post, "/containers/:id/rebind-network", needsWrite, s.containers.RebindNetwork, nil, specParameters},
		{get, "/containers/:id/install-log", needsConsole, s.containers.ReadInstallLog, givesText, nil},
		{get, "/containers/:id/wait", needsRead, s.containers.Wait, nil, waitParameters},
		{get, "/containers/:id/plan", needsRead, s.containers.Plan, nil, nil},
		{get, "/containers/:id/history", needsRead, s.containers.History, nil, historyParameters},
		{get, "/containers/:id/logs", needsConsole, s.streams.ReadLogs, givesText, logParameters},
		{get, "/containers/:id/events", needsRead, s.streams.ContainerEvents, nil, eventParameters},
		{get, "/events", needsRead, s.streams.AllEvents, nil, eventParameters},
		{get, "/containers/:id/drift", needsRead, s.drift.OfContainer, nil, nil},
		{get, "/drift", needsRead, s.drift.OfNode, nil, driftParameters},
		{get, "/containers/:id/stats", needsRead, s.stats.OfContainer, nil, nil},
		{get, "/stats", needsRead, s.stats.OfAll, nil, driftParameters},
		{get, "/node", needsReadOfAll, s.stats.Node, nil, nil},
		{put, "/node/cordon", needsAdminOfAll, s.cordon.Put, nil, dryRunParameters},
		{del, "/node/cordon", needsAdminOfAll, s.cordon.Delete, nil, dryRunParameters},
		{get, "/webhooks", needsReadOfAll, s.webhooks.List, nil, nil},
		{post, "/webhooks/:name/retry", needsAdminOfAll, s.webhooks.Retry, nil, nil},

		{get, pathSockets, needsRead, s.streams.OpenSocket, anything, nodeSocket},
		{get, pathSockets + "/:id", needsConsole, s.streams.OpenSocket, anything, containerSocket},

		{post, "/apply", needsWrite, s.containers.Apply, nil, specParameters},

		{post, "/network/ports", needsWriteToAll, s.ports.Add, nil, dryRunParameters},
		{get, "/network/ports", needsRead, s.ports.List, nil, pageParameters},
		{get, "/network/ports/random", needsRead, s.ports.Random, nil, protocolParameters},
		{post, "/network/ports/bulk-delete", needsWriteToAll, s.ports.DeleteMany, nil, dryRunParameters},
		{get, "/network/ports/:ip/:port", needsRead, s.ports.Get, nil, protocolParameters},
		{del, "/network/ports/:ip/:port", needsWriteToAll, s.ports.Delete, nil, portParameters},
		{put, "/network/ports/:ip/:port/use", needsWriteToAll, s.ports.Use, nil, portParameters},

		{post, "/volumes", needsWrite, s.volumes.Create, nil, dryRunParameters},
		{get, "/volumes", needsRead, s.volumes.List, nil, pageParameters},
		{get, "/volumes/:id", needsRead, s.volumes.Get, nil, nil},
		{put, "/volumes/:id", needsWrite, s.volumes.Put, nil, dryRunParameters},
		{del, "/volumes/:id", needsWrite, s.volumes.Delete, nil, dryRunParameters},

		{get, pathFiles, needsFiles, s.files.Get, givesFile, fileParameters},
		{put, pathFiles, needsFiles, s.files.Put, nil, putFileParameters},
		{post, pathFiles, needsFiles, s.files.Operate, nil, nil},
		{del, pathFiles, needsFiles, s.files.Delete, nil, nil},
		{post, "/volumes/:id/uploads", needsFiles, s.files.SignUpload, nil, nil},
		{post, "/volumes/:id/downloads", needsFiles, s.files.SignDownload, nil, nil},
		{put, pathUploads + ":token", public, s.files.Upload, nil, nil},
		{get, pathDownloads + ":token", public, s.files.Download, givesFile, nil},
		{get, "/volumes/:id/jobs", needsFiles, s.files.Jobs, nil, nil},
		{get, "/volumes/:id/jobs/:job", needsFiles, s.files.Job, nil, nil},
		{del, "/volumes/:id/jobs/:job", needsFiles, s.files.CancelJob, nil, nil},

		{post, "/auth/tokens", needsAdmin, s.auth.CreateToken, nil, nil},
		{get, "/auth/tokens", needsAdmin, s.auth.ListTokens, nil, pageParameters},
		{get, "/auth/tokens/:id", needsAdmin, s.auth.GetToken, nil, nil},
		{del, "/auth/tokens/:id", needsAdmin, s.auth.RevokeToken, nil, nil},

		{post, pathBackup, needsMaster, s.backup.Make, anything, backupParameters},
		{get, "/metrics", needsReadOfAll, s.process.ReadMetrics, anything, nil},
		{get, "/debug/pprof/:profile", needsAdminOfAll, s.process.ReadProfile, anything, profileParameters},

		{get, "/openapi.json", public, describe, nil, nil},
	}
}

// checked puts what holds for every route before its handler.
func (r route) checked(a *auth.Authenticator) handler {
	offer := cmp.Or(r.offer, givesJSON)
	return func(c *gin.Context) error {
		ctx := c.Request.Context()
		if err := r.access.check(auth.CallerOf(ctx)); err != nil {
			return err
		}
		if !offer.accepts(c.Request.Header) {
			return offer.refusal
		}
		if err := r.check(c.Request); err != nil {
			return err
		}
		if r.access.public() {
			return r.handle(c)
		}
		return a.Using(ctx, func() error { return r.handle(c) })
	}
}

// check refuses parameters and preconditions that the route does not have.
func (r route) check(request *http.Request) error {
	details, err := r.checkQuery(request.URL.RawQuery)
	if err != nil {
		return err
	}
	if r.method == http.MethodGet {
		if _, err := rest.Tags(request.Header, rest.HeaderNoneMatch); err != nil {
			return err
		}
	} else if !r.conditional() {
		for _, name := range []string{rest.HeaderMatch, rest.HeaderNoneMatch} {
			if len(request.Header.Values(name)) > 0 {
				details = append(details, rest.Detail{Field: name, Message: "has no meaning here: what this writes has no entity tag"})
			}
		}
	}
	if len(details) == 0 {
		return nil
	}
	slices.SortFunc(details, func(a, b rest.Detail) int { return strings.Compare(a.Field, b.Field) })
	return rest.Invalid(details...)
}

// conditional reports whether a write takes preconditions: what it writes has an entity tag.
func (r route) conditional() bool {
	return strings.HasPrefix(r.path, "/containers") && r.path != pathCommand || r.path == "/apply" || r.method == http.MethodPut && (r.path == pathFiles || strings.HasPrefix(r.path, pathUploads))
}

// checkQuery refuses parameters that the route does not have, those that are given twice, and values that
// are no text: a request whose meaning the client believes to be another must not be answered as if it were.
func (r route) checkQuery(rawQuery string) ([]rest.Detail, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, rest.NewError(http.StatusBadRequest, "malformed", "The query is malformed")
	}
	var details []rest.Detail
	for name, values := range query {
		switch {
		case !slices.Contains(r.query, name):
			details = append(details, rest.Detail{Field: name, Message: "is not a known query parameter" + rest.DidYouMean(name, r.query)})
		case len(values) > 1:
			details = append(details, rest.Detail{Field: name, Message: "must be given once"})
		case rest.BadText(values[0]) != "":
			details = append(details, rest.Detail{Field: name, Message: rest.BadText(values[0])})
		}
	}
	return details, nil
}

// listOrWatch is GET /containers.
func (s *Server) listOrWatch(c *gin.Context) error {
	watching, err := rest.Flag(c.Request.URL.Query(), rest.QueryWatch)
	switch {
	case err != nil:
		return err
	case watching:
		return s.streams.Watch(c)
	case !givesJSON.accepts(c.Request.Header):
		return givesJSON.refusal
	}
	return s.containers.List(c)
}

// routeOf returns the path in the table of routes that is for a request; empty where none is.
func routeOf(table []route, r *http.Request) string {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	given := strings.Split(r.URL.Path, "/")
	for _, one := range table {
		if one.method == method && slices.EqualFunc(strings.Split(one.path, "/"), given, fits) {
			return one.path
		}
	}
	return ""
}

// fits reports whether a part of a path is for a part of the path of a route.
func fits(ofRoute, part string) bool {
	return ofRoute == part || strings.HasPrefix(ofRoute, ":") && part != ""
}

// publicRoutes returns what reports whether a request is answered without a token. Another method of a link is, too:
// who has a link has no token to send, and "unauthorized" would lead astray.
func publicRoutes(routes []route) func(*http.Request) bool {
	var table []route
	for _, r := range routes {
		if r.access.public() {
			table = append(table, r)
		}
	}
	return func(r *http.Request) bool {
		return routeOf(table, r) != "" || strings.HasPrefix(r.URL.Path, pathUploads) || strings.HasPrefix(r.URL.Path, pathDownloads)
	}
}

func isSocket(path string) bool {
	return path == pathSockets || strings.HasPrefix(path, pathSockets+"/")
}

// isStream reports whether a request is answered by a stream, or by text that is made while it is read, or
// is a transfer of a file, which has bounds of its own.
func isStream(r *http.Request) bool {
	if isSocket(r.URL.Path) {
		return true
	}
	if r.URL.Path == "/containers" {
		watching, err := rest.Flag(r.URL.Query(), rest.QueryWatch)
		return watching && err == nil && r.Method == http.MethodGet
	}
	if isLink(r) || r.URL.Path == pathBackup {
		return true
	}
	if parts := strings.Split(r.URL.Path, "/"); len(parts) == 4 && parts[1] == "volumes" && parts[3] == "files" {
		return r.Method == http.MethodPut || r.Method == http.MethodGet && files.IsDownload(r)
	}
	return r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, "/logs") || strings.HasSuffix(r.URL.Path, "/install-log"))
}

// isLink reports whether a request came by a link to a file.
func isLink(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, pathUploads) {
		return r.Method == http.MethodPut
	}
	return strings.HasPrefix(r.URL.Path, pathDownloads) && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// isLarge reports whether the answer to a request can be long. All of these are made from memory: one that
// waited for a disk would keep the others waiting.
func isLarge(r *http.Request) bool {
	return r.Method == http.MethodGet && slices.Contains([]string{"/containers", "/drift", "/network/ports", "/openapi.json"}, r.URL.Path)
}
