package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/httpapi/strictjson"
)

// route is one line of the table of routes.
type route struct {
	method, path string
	handle       handler
	// offer is what the client can be given; nil for JSON.
	offer *acceptSpec
	// query are the parameters that it has; any other is refused.
	query []string
}

// The paths that are answered without a token, those where a token may be in the query, and that
// where one is made.
const (
	pathPing    = "/api/v1/public/ping"
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathOpenAPI = "/openapi.json"
	pathSockets = "/ws"
	pathTokens  = "/auth/tokens"
)

// acceptSpec decides by the headers of a request whether what it wants can be given.
type acceptSpec struct {
	accepts func(http.Header) bool
	refusal *apiError
}

var (
	givesJSON   = &acceptSpec{acceptsJSON, notAcceptable(mediaVendor, mediaJSON)}
	givesText   = &acceptSpec{acceptsText, notAcceptable(mediaText)}
	givesStream = &acceptSpec{acceptsStream, notAcceptable(mediaVendor, mediaJSON, mediaLines, mediaEvents+" (those two of a watch)")}
	anything    = &acceptSpec{accepts: func(http.Header) bool { return true }}
)

func notAcceptable(media ...string) *apiError {
	return fail(http.StatusNotAcceptable, "not_acceptable", "The answer can be of type "+strings.Join(media, " or "))
}

func (s *Server) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		{get, pathPing, s.ping, anything, nil},
		{get, pathHealth, s.healthz, anything, nil},
		{get, pathReady, s.readyz, anything, nil},

		{post, "/containers", s.createContainer, nil, specParameters},
		{get, "/containers", s.listContainers, givesStream, listParameters},
		{get, "/containers/:id", s.getContainer, nil, nil},
		{put, "/containers/:id", s.putContainer, nil, specParameters},
		{patch, "/containers/:id", s.patchContainer, nil, specParameters},
		{del, "/containers/:id", s.deleteContainer, nil, specParameters},
		{post, "/containers/:id/start", s.powerRoute("start"), nil, specParameters},
		{post, "/containers/:id/stop", s.powerRoute("stop"), nil, specParameters},
		{post, "/containers/:id/kill", s.powerRoute("kill"), nil, specParameters},
		{post, "/containers/:id/restart", s.powerRoute("restart"), nil, specParameters},
		{post, "/containers/:id/reinstall", s.reinstall, nil, specParameters},
		{post, "/containers/:id/rebind-network", s.rebindNetwork, nil, specParameters},
		{get, "/containers/:id/install-log", s.readInstallLog, givesText, nil},
		{get, "/containers/:id/plan", s.planContainer, nil, nil},
		{get, "/containers/:id/logs", s.readLogs, givesText, logParameters},
		{get, "/containers/:id/events", s.containerEvents, nil, eventParameters},
		{get, "/events", s.allEvents, nil, eventParameters},
		{get, "/containers/:id/drift", s.driftOfContainer, nil, nil},
		{get, "/drift", s.driftOfNode, nil, driftParameters},

		{get, pathSockets, s.openSocket, anything, nodeSocket},
		{get, pathSockets + "/:id", s.openSocket, anything, containerSocket},

		{post, "/apply", s.apply, nil, specParameters},

		{post, "/network/ports", s.addPorts, nil, dryRunParameters},
		{get, "/network/ports", s.listPorts, nil, pageParameters},
		{get, "/network/ports/random", s.randomPort, nil, protocolParameters},
		{post, "/network/ports/bulk-delete", s.deletePorts, nil, dryRunParameters},
		{get, "/network/ports/:ip/:port", s.getPort, nil, protocolParameters},
		{del, "/network/ports/:ip/:port", s.deletePort, nil, portParameters},
		{put, "/network/ports/:ip/:port/use", s.usePort, nil, portParameters},

		{post, "/volumes", s.createVolume, nil, dryRunParameters},
		{get, "/volumes", s.listVolumes, nil, pageParameters},
		{get, "/volumes/:id", s.getVolume, nil, nil},
		{del, "/volumes/:id", s.deleteVolume, nil, dryRunParameters},

		{post, pathTokens, s.createToken, nil, nil},
		{get, pathOpenAPI, s.describe, nil, nil},
	}
}

// checked puts what holds for every route before its handler.
func (r route) checked() handler {
	offer := cmp.Or(r.offer, givesJSON)
	return func(c *gin.Context) error {
		if !offer.accepts(c.Request.Header) {
			return offer.refusal
		}
		if err := r.check(c.Request); err != nil {
			return err
		}
		return r.handle(c)
	}
}

// check refuses parameters and preconditions that nobody reads.
func (r route) check(request *http.Request) error {
	details, err := r.checkQuery(request.URL.RawQuery)
	if err != nil {
		return err
	}
	if r.method == http.MethodGet {
		if _, err := tagsOf(request.Header, headerNoneMatch); err != nil {
			return err
		}
	} else if !r.conditional() {
		for _, name := range []string{headerMatch, headerNoneMatch} {
			if len(request.Header.Values(name)) > 0 {
				details = append(details, Detail{Field: name, Message: "has no meaning here: what this writes has no entity tag"})
			}
		}
	}
	if len(details) == 0 {
		return nil
	}
	slices.SortFunc(details, func(a, b Detail) int { return strings.Compare(a.Field, b.Field) })
	return invalid(details...)
}

// conditional reports whether a write takes preconditions: what it writes has an entity tag.
func (r route) conditional() bool {
	return strings.HasPrefix(r.path, "/containers") || r.path == "/apply"
}

// bodyObject reads the body of a route that needs one.
func (s *Server) bodyObject(c *gin.Context, media ...string) (strictjson.Object, error) {
	object, present, err := readObject(c.Request, maxBody, append([]string{mediaJSON}, media...)...)
	if err == nil && !present {
		err = errNoBody
	}
	return object, err
}

// optionalObject reads the body of a route that can do without.
func (s *Server) optionalObject(c *gin.Context) (strictjson.Object, error) {
	object, _, err := readObject(c.Request, maxBody, mediaJSON)
	return object, err
}

// noBody accepts what clients send that send a body with every write: nothing, or {}.
func (s *Server) noBody(c *gin.Context) error {
	object, err := s.optionalObject(c)
	if err != nil {
		return err
	}
	return object.Bind(&struct{}{})
}
