package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"lightd/desired/token"
)

const (
	bearerPrefix  = "bearer."
	tokenQuery    = "token"
	protocolsName = "Sec-WebSocket-Protocol"
)

var errUnauthorized = fail(http.StatusUnauthorized, "unauthorized", "Unauthorized").
	with("WWW-Authenticate", `Bearer realm="lightd"`)

// caller is who sent a request that was let in.
type caller struct {
	grant token.Grant
	// protocol is the subprotocol that brought the token; empty when another way did.
	protocol string
}

type callerKey struct{}

func callerOf(c *gin.Context) caller {
	who, _ := c.Request.Context().Value(callerKey{}).(caller)
	return who
}

// authenticating lets only requests with one valid token through to next. It stands
// before the routes, so that nobody without a token learns which there are.
func (s *Server) authenticating(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPublic(r) {
			next.ServeHTTP(w, r)
			return
		}
		known, err := s.identified(r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, known)
	})
}

// identified returns r with its caller. It is apart so that a stream, which lives long, does
// not keep on its stack what only this needs.
func (s *Server) identified(r *http.Request) (*http.Request, error) {
	secret, protocol, found := secretOf(r)
	if !found {
		return nil, errUnauthorized
	}
	grant, err := s.authenticate(r.Context(), secret)
	if err != nil {
		return nil, err
	}
	requestOf(r.Context()).from(grant)
	who := caller{grant: grant, protocol: protocol}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, who)), nil
}

// authenticate returns what a token allows.
func (s *Server) authenticate(ctx context.Context, secret string) (token.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.databaseTimeout)
	defer cancel()
	grant, err := s.tokens.Authenticate(ctx, secret)
	if isError(err, token.ErrUnknown) {
		err = errUnauthorized
	}
	return grant, err
}

func isPublic(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	switch r.URL.Path {
	case pathPing, pathHealth, pathReady, pathOpenAPI:
		return true
	default:
		return false
	}
}

func isSocket(path string) bool {
	return path == pathSockets || strings.HasPrefix(path, pathSockets+"/")
}

// secretOf returns the one token that r carries, and the subprotocol if that is where
// it was. Two are as good as none: which of them would count is anybody's guess.
func secretOf(r *http.Request) (secret, protocol string, found bool) {
	var secrets []string
	for _, value := range r.Header.Values("Authorization") {
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", "", false
		}
		secrets = append(secrets, rest)
	}
	inQuery := r.URL.Query()[tokenQuery]
	switch {
	case isSocket(r.URL.Path):
		secrets = append(secrets, inQuery...)
		if protocol = bearerProtocols(r.Header); protocol != "" {
			secrets = append(secrets, strings.TrimPrefix(protocol, bearerPrefix))
		}
	case len(inQuery) > 0:
		// Addresses end up in logs and histories.
		return "", "", false
	}
	if len(secrets) != 1 || !token.WellFormed(secrets[0]) {
		return "", "", false
	}
	return secrets[0], protocol, true
}

// bearerProtocols returns the subprotocol that carries a token. Several are returned
// as one, which is no token.
func bearerProtocols(h http.Header) string {
	var found []string
	for _, value := range h.Values(protocolsName) {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); strings.HasPrefix(name, bearerPrefix) {
				found = append(found, name)
			}
		}
	}
	return strings.Join(found, ",")
}

// origins are the foreign origins that browsers may connect from.
type origins struct {
	any     bool
	allowed map[string]bool
}

func parseOrigins(list []string) (origins, error) {
	o := origins{allowed: map[string]bool{}}
	for _, text := range list {
		if text == "*" {
			o.any = true
			continue
		}
		name, err := originName(text)
		if err != nil {
			return origins{}, err
		}
		o.allowed[name] = true
	}
	return o, nil
}

// CheckOrigins returns what is wrong with a list of origins that may open a WebSocket.
func CheckOrigins(list []string) error {
	_, err := parseOrigins(list)
	return err
}

// permits reports whether r comes from no browser, from a page of this very host, or
// from an origin that is allowed.
func (o origins) permits(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 || o.any {
		return true
	}
	name, err := originName(values[0])
	if err != nil || len(values) > 1 {
		return false
	}
	_, host, _ := strings.Cut(name, "://")
	return strings.EqualFold(host, r.Host) || o.allowed[name]
}

func originName(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "", &originError{text}
	}
	return strings.ToLower(u.Scheme + "://" + u.Host), nil
}

// originError tells of an origin that is none.
type originError struct{ text string }

func (e *originError) Error() string {
	return "read origin " + e.text + `: it must be as in "https://panel.example.com"`
}
