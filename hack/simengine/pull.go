package simengine

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/events"
)

// Remote is an image that can be pulled.
type Remote struct {
	// Config is that of the image. A Version that differs from that of the image which has
	// the name makes a pull a new image: the tag has moved.
	Config  ImageConfig
	Version string
	// Layers are their sizes in bytes; none is one of 1 MiB.
	Layers []int64
	// Pace is how long each layer takes.
	Pace time.Duration
	// FailAfter layers the pull fails inside its stream with Failure, unless that is empty.
	FailAfter int
	Failure   string
	// StallAfter layers nothing happens any more, until the client goes; 0 is never.
	StallAfter int
}

// Publish puts an image into the registry, in place of the one that had the name.
func (s *Sim) Publish(ref string, r Remote) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.Layers) == 0 {
		r.Layers = []int64{1 << 20}
	}
	s.remotes[withTag(ref)] = r
}

// Unpublish takes an image out of the registry.
func (s *Sim) Unpublish(ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.remotes, withTag(ref))
}

// progress is a line of the stream of a pull.
type progress struct {
	Status   string         `json:"status,omitempty"`
	Detail   map[string]any `json:"progressDetail,omitempty"`
	Progress string         `json:"progress,omitempty"`
	ID       string         `json:"id,omitempty"`
	Error    string         `json:"error,omitempty"`
	Because  map[string]any `json:"errorDetail,omitempty"`
}

func failed(message string) progress {
	return progress{Error: message, Because: map[string]any{"message": message}}
}

func (s *Sim) pullImage(c *call) (answer, error) {
	ref := c.query.Get("fromImage")
	if tag := c.query.Get("tag"); strings.HasPrefix(tag, "sha256:") {
		ref += "@" + tag
	} else if tag != "" {
		ref += ":" + tag
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return answer{}, refuse(http.StatusBadRequest, "%v", err)
	}
	ref = withTag(ref)
	remote, err := s.lookUp(ref, named)
	if err != nil {
		return answer{}, err
	}
	st, release := s.openStream(c, nil)
	defer release()
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	encoder, flush := json.NewEncoder(c.w), http.NewResponseController(c.w).Flush
	s.pull(st.ctx, ref, named, remote, func(p progress) {
		_ = encoder.Encode(p) // a client that has gone ends ctx
		_ = flush()
	})
	s.breakIfCut(st)
	return streamed, nil
}

// lookUp returns what a registry has under a name. A registry of which nothing was
// published does not answer, but for the one that needs no name.
func (s *Sim) lookUp(ref string, named reference.Named) (Remote, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if remote, found := s.remotes[ref]; found {
		return remote, nil
	}
	domain := reference.Domain(named)
	if domain == "docker.io" {
		return Remote{}, refuse(http.StatusNotFound, "pull access denied for %s, repository does not exist or may "+
			"require 'docker login': denied: requested access to the resource is denied", reference.FamiliarName(named))
	}
	for name := range s.remotes {
		if other, err := reference.ParseNormalizedNamed(name); err == nil && reference.Domain(other) == domain {
			return Remote{}, refuse(http.StatusNotFound, "manifest for %s not found: manifest unknown: manifest unknown", ref)
		}
	}
	return Remote{}, refuse(http.StatusInternalServerError,
		"Get \"http://%s/v2/\": dial tcp %s: connect: connection refused", domain, domain)
}

// pull reports the progress of each layer, and then keeps the image.
func (s *Sim) pull(ctx context.Context, ref string, named reference.Named, r Remote, report func(progress)) {
	report(progress{Status: "Pulling from " + reference.Path(named), ID: reference.FamiliarString(named)[strings.LastIndex(ref, ":")+1:]})
	s.mu.Lock()
	have := s.refs[ref]
	s.mu.Unlock()
	current := have != nil && have.config.Labels[versionLabel] == r.Version
	for i, size := range r.Layers {
		if r.StallAfter > 0 && i >= r.StallAfter {
			<-ctx.Done()
			return
		}
		if r.Failure != "" && i >= r.FailAfter {
			report(failed(r.Failure))
			return
		}
		if current {
			continue
		}
		if !s.layer(ctx, layerID(ref, i), size, r.Pace, report) {
			return
		}
	}
	if r.Failure != "" {
		report(failed(r.Failure))
		return
	}
	s.keepPulled(ref, named, r, current, report)
}

// versionLabel keeps the version of a Remote in the image.
const versionLabel = "simengine.version"

func layerID(ref string, i int) string {
	const digits = "0123456789abcdef"
	id := []byte("000000000000")
	for j, b := range []byte(ref) {
		id[j%len(id)] = digits[(int(b)+int(id[j%len(id)])+i)%16]
	}
	return string(id)
}

// layer reports the progress of one layer; false if it came to no end.
func (s *Sim) layer(ctx context.Context, id string, size int64, pace time.Duration, report func(progress)) bool {
	report(progress{Status: "Pulling fs layer", Detail: map[string]any{}, ID: id})
	const steps = 4
	for i := int64(1); i <= steps; i++ {
		s.sleep(ctx, pace/steps)
		if ctx.Err() != nil {
			return false
		}
		report(progress{
			Status: "Downloading", ID: id, Progress: "[=>  ]",
			Detail: map[string]any{"current": size * i / steps, "total": size},
		})
	}
	report(progress{Status: "Download complete", Detail: map[string]any{}, ID: id})
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full {
		report(failed("failed to register layer: write /layer.tar: no space left on device"))
		return false
	}
	report(progress{Status: "Pull complete", Detail: map[string]any{}, ID: id})
	return true
}

// keepPulled names the image that was pulled, and reports that it is there.
func (s *Sim) keepPulled(ref string, named reference.Named, r Remote, current bool, report func(progress)) {
	s.mu.Lock()
	status := "Status: Image is up to date for " + ref
	if !current {
		status = "Status: Downloaded newer image for " + ref
		config := r.Config.config()
		if r.Version != "" {
			labels := map[string]string{versionLabel: r.Version}
			for k, v := range config.Labels {
				labels[k] = v
			}
			config.Labels = labels
		}
		s.refs[ref] = s.newImageLocked(config, "")
	}
	p := s.refs[ref]
	attributes := map[string]string{"name": reference.FamiliarName(named)}
	for k, v := range p.config.Labels {
		attributes[k] = v
	}
	s.publishLocked(Message{
		Type: events.ImageEventType, Action: events.ActionPull,
		Actor: events.Actor{ID: ref, Attributes: attributes},
	})
	s.mu.Unlock()
	report(progress{Status: "Digest: " + p.id})
	report(progress{Status: status})
}
