package simengine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/versions"
)

// minAPIVersion is the oldest version of Docker 20.10.
const minAPIVersion = "1.12"

// call is one request.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	route string // as in "/containers/{id}/start"
	id    string // what stands for {id} or {name}
	query url.Values
	body  []byte
}

// answer is what a handler returns; status 0 means that it has written the response itself.
type answer struct {
	status int
	body   any
}

type handler func(*Sim, *call) (answer, error)

// streamed is the answer of a handler that wrote its own.
var streamed = answer{}

// handlers returns the handler of each method and route.
func handlers() map[string]handler {
	return map[string]handler{
		"GET /_ping":                     (*Sim).ping,
		"HEAD /_ping":                    (*Sim).ping,
		"GET /version":                   (*Sim).version,
		"GET /info":                      (*Sim).info,
		"GET /events":                    (*Sim).streamEvents,
		"POST /containers/create":        (*Sim).createContainer,
		"GET /containers/json":           (*Sim).listContainers,
		"GET /containers/{id}/json":      (*Sim).inspectContainer,
		"POST /containers/{id}/start":    (*Sim).startContainer,
		"POST /containers/{id}/kill":     (*Sim).killContainer,
		"POST /containers/{id}/stop":     (*Sim).stopContainer,
		"POST /containers/{id}/wait":     (*Sim).waitContainer,
		"POST /containers/{id}/pause":    (*Sim).pauseContainer,
		"POST /containers/{id}/unpause":  (*Sim).unpauseContainer,
		"POST /containers/{id}/rename":   (*Sim).renameContainer,
		"POST /containers/{id}/resize":   (*Sim).resizeContainer,
		"POST /containers/{id}/update":   (*Sim).updateContainer,
		"POST /containers/{id}/attach":   (*Sim).attachContainer,
		"POST /containers/{id}/exec":     (*Sim).createExec,
		"GET /containers/{id}/logs":      (*Sim).containerLogs,
		"GET /containers/{id}/stats":     (*Sim).containerStats,
		"GET /containers/{id}/changes":   (*Sim).containerChanges,
		"HEAD /containers/{id}/archive":  (*Sim).statPath,
		"DELETE /containers/{id}":        (*Sim).removeContainer,
		"POST /exec/{id}/start":          (*Sim).startExec,
		"GET /exec/{id}/json":            (*Sim).inspectExec,
		"POST /exec/{id}/resize":         (*Sim).resizeExec,
		"POST /commit":                   (*Sim).commitContainer,
		"GET /images/json":               (*Sim).listImages,
		"POST /images/create":            (*Sim).pullImage,
		"GET /images/get":                (*Sim).saveImages,
		"POST /images/load":              (*Sim).loadImages,
		"GET /images/{name}/json":        (*Sim).inspectImage,
		"POST /images/{name}/tag":        (*Sim).tagImage,
		"DELETE /images/{name}":          (*Sim).removeImage,
		"GET /volumes":                   (*Sim).listVolumes,
		"GET /volumes/{id}":              (*Sim).inspectVolume,
		"POST /volumes/create":           (*Sim).createVolume,
		"DELETE /volumes/{id}":           (*Sim).removeVolume,
		"GET /networks":                  (*Sim).listNetworks,
		"POST /networks/create":          (*Sim).createNetwork,
		"GET /networks/{id}":             (*Sim).inspectNetwork,
		"POST /networks/{id}/connect":    (*Sim).connectNetwork,
		"POST /networks/{id}/disconnect": (*Sim).disconnectNetwork,
		"DELETE /networks/{id}":          (*Sim).removeNetwork,
	}
}

var table = handlers()

// route returns the template of a path, and what stands in its variable.
func route(path string) (template, id string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 2 || slices.Contains([]string{"json", "create", "get", "load"}, parts[1]) && len(parts) == 2 {
		return path, ""
	}
	switch parts[0] {
	case "containers", "exec", "networks", "volumes":
		id, parts[1] = parts[1], "{id}"
		return "/" + strings.Join(parts, "/"), id
	case "images":
		last := len(parts) - 1
		if last > 1 && (parts[last] == "json" || parts[last] == "tag") {
			return "/images/{name}/" + parts[last], strings.Join(parts[1:last], "/")
		}
		return "/images/{name}", strings.Join(parts[1:], "/")
	}
	return path, ""
}

var versioned = regexp.MustCompile(`^/v([0-9.]+)(/.*)$`)

// ServeHTTP implements http.Handler.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.ctx.Err() != nil { // Close waits for calls, and none may begin then
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.work.Add(1)
	s.mu.Unlock()
	defer s.work.Done()
	arrived := time.Now()
	c := &call{w: w, r: r, query: r.URL.Query()}
	if r.Header.Get("Upgrade") == "" || r.ContentLength > 0 {
		var err error
		if c.body, err = io.ReadAll(r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	path, version := r.URL.Path, ""
	if m := versioned.FindStringSubmatch(path); m != nil {
		version, path = m[1], m[2]
	}
	c.route, c.id = route(path)
	seen := s.record(Call{Method: r.Method, Route: c.route, Target: c.id, Query: c.query, At: arrived})
	defer seen()
	s.waitClosed(r.Context())
	do := table[r.Method+" "+c.route]
	if do == nil {
		do = func(*Sim, *call) (answer, error) { return answer{}, refuse(http.StatusNotFound, "page not found") }
	}
	s.setHeaders(w.Header())
	if err := s.checkVersion(version); err != nil {
		do = func(*Sim, *call) (answer, error) { return answer{}, err }
	}
	s.perform(c, do)
}

// setHeaders writes what every answer of the engine has.
func (s *Sim) setHeaders(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Set("Api-Version", s.apiVersion)
	h.Set("Docker-Experimental", "false")
	h.Set("Ostype", "linux")
	h.Set("Server", "Docker/20.10.24 (linux)")
}

func (s *Sim) checkVersion(version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case version == "":
		return nil
	case versions.GreaterThan(version, s.apiVersion):
		return refuse(http.StatusBadRequest,
			"client version %s is too new. Maximum supported API version is %s", version, s.apiVersion)
	case versions.LessThan(version, minAPIVersion):
		return refuse(http.StatusBadRequest,
			"client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version",
			version, minAPIVersion)
	}
	return nil
}

// answerWith runs a handler and writes its answer.
func (s *Sim) answerWith(c *call, do handler) {
	a, err := do(s, c)
	var no refusal
	switch {
	case errors.As(err, &no):
		a = answer{no.status, map[string]string{"message": no.message}}
	case err != nil:
		a = answer{http.StatusInternalServerError, map[string]string{"message": err.Error()}}
	}
	switch {
	case a.status == 0:
	case a.body == nil:
		c.w.WriteHeader(a.status)
	default:
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(a.status)
		_ = json.NewEncoder(c.w).Encode(a.body) // the client has gone
	}
}

// decode reads the body of a call.
func (c *call) decode(into any) error {
	if len(c.body) == 0 {
		return refuse(http.StatusBadRequest, "invalid JSON: got EOF while reading request body")
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	return nil
}

// filters reads the filters of a list or a stream.
func (c *call) filters() (filters.Args, error) {
	f, err := filters.FromJSON(c.query.Get("filters"))
	if err != nil {
		return f, refuse(http.StatusBadRequest, "%v", err)
	}
	return f, nil
}

// flag reads a truth of the query as Docker does.
func (c *call) flag(name string) bool {
	v := strings.ToLower(strings.TrimSpace(c.query.Get(name)))
	return !slices.Contains([]string{"", "0", "no", "false", "none"}, v)
}

// ends returns a context that ends with the call, with the engine, or when stop is called.
func (s *Sim) ends(c *call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.r.Context())
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (s *Sim) ping(c *call) (answer, error) {
	c.w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	c.w.Header().Set("Pragma", "no-cache")
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodGet {
		_, _ = io.WriteString(c.w, "OK")
	}
	return streamed, nil
}

func (s *Sim) version(*call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer{http.StatusOK, map[string]any{
		"Platform": map[string]string{"Name": ""}, "Version": "20.10.24", "ApiVersion": s.apiVersion,
		"MinAPIVersion": minAPIVersion, "GitCommit": "5d6db84", "GoVersion": runtime.Version(),
		"Os": "linux", "Arch": runtime.GOARCH, "KernelVersion": "6.1.0", "Components": []any{},
	}}, nil
}

func (s *Sim) info(*call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := map[string]int{}
	for _, c := range s.containers {
		count[c.status()]++
	}
	return answer{http.StatusOK, map[string]any{
		"ID": "SIMU:LATE", "Name": "sim", "ServerVersion": "20.10.24", "Driver": "overlay2",
		"Containers": len(s.containers), "ContainersRunning": count["running"],
		"ContainersPaused": count["paused"], "Images": len(s.images),
		"ContainersStopped": len(s.containers) - count["running"] - count["paused"],
		"OSType":            "linux", "Architecture": "x86_64", "NCPU": runtime.NumCPU(), "MemTotal": int64(8) << 30,
		"MemoryLimit": true, "SwapLimit": true, "PidsLimit": true, "CPUCfsQuota": true, "CgroupVersion": "2",
		"CgroupDriver": "cgroupfs", "LoggingDriver": "json-file", "DockerRootDir": s.root, "SecurityOptions": s.security,
	}}, nil
}
