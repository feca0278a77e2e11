package simengine

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// picture is an image.
type picture struct {
	id, parent string
	created    time.Time
	config     *container.Config
	size       int64
}

// ImageConfig is what of an image matters to containers made from it.
type ImageConfig struct {
	User, WorkingDir, StopSignal string
	Entrypoint, Cmd              []string
	Env, Volumes, Healthcheck    []string
	Labels                       map[string]string
}

func (c ImageConfig) config() *container.Config {
	config := &container.Config{
		User: c.User, WorkingDir: c.WorkingDir, StopSignal: c.StopSignal,
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, Labels: c.Labels,
	}
	if c.Healthcheck != nil {
		config.Healthcheck = &container.HealthConfig{Test: c.Healthcheck}
	}
	for _, target := range c.Volumes {
		if config.Volumes == nil {
			config.Volumes = map[string]struct{}{}
		}
		config.Volumes[target] = struct{}{}
	}
	return config
}

// AddImage puts an image under a name, without an event, and returns its id. An image
// that had the name keeps no name.
func (s *Sim) AddImage(ref string, c ImageConfig) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.newImageLocked(c.config(), "")
	s.refs[withTag(ref)] = p
	return p.id
}

// newImageLocked adds an image without a name. The caller holds the lock.
func (s *Sim) newImageLocked(config *container.Config, parent string) *picture {
	p := &picture{id: "sha256:" + s.newIDLocked(), parent: parent, created: s.now().UTC(), config: config, size: 2 << 20}
	s.images[p.id] = p
	return p
}

// withTag returns a reference as Docker keeps it: in short form, with a tag or a digest.
// What is no reference comes back as it is.
func withTag(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.FamiliarString(reference.TagNameOnly(named))
}

var imageID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{4,64}$`)

// findImageLocked returns the image with a name or an id, or nil. The caller holds the lock.
func (s *Sim) findImageLocked(ref string) *picture {
	if p := s.refs[withTag(ref)]; p != nil {
		return p
	}
	if !imageID.MatchString(ref) {
		return nil
	}
	prefix := "sha256:" + strings.TrimPrefix(ref, "sha256:")
	for id, p := range s.images {
		if strings.HasPrefix(id, prefix) {
			return p
		}
	}
	return nil
}

// namesLocked returns the references of an image. The caller holds the lock.
func (s *Sim) namesLocked(p *picture) []string {
	names := []string{}
	for ref, other := range s.refs {
		if other == p {
			names = append(names, ref)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Sim) emitImage(p *picture, action, name string) {
	attributes := maps.Clone(p.config.Labels)
	if attributes == nil {
		attributes = map[string]string{}
	}
	attributes["name"] = name
	s.publishLocked(Message{
		Type: events.ImageEventType, Action: events.Action(action),
		Actor: events.Actor{ID: p.id, Attributes: attributes},
	})
}

func (s *Sim) inspectImage(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.findImageLocked(c.id)
	if p == nil {
		return answer{}, refuse(http.StatusNotFound, "no such image: %s: No such image: %s", c.id, withTag(c.id))
	}
	return answer{http.StatusOK, map[string]any{
		"Id": p.id, "RepoTags": s.namesLocked(p), "RepoDigests": []string{}, "Parent": p.parent,
		"Created": stamp(p.created), "Config": p.config, "Architecture": "amd64", "Os": "linux",
		"Size": p.size, "VirtualSize": p.size, "DockerVersion": "20.10.24",
		"RootFS": map[string]any{"Type": "layers", "Layers": []string{p.id}},
	}}, nil
}

func (s *Sim) listImages(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, p := range s.images {
		tags := []string{}
		for _, name := range s.namesLocked(p) {
			if matchesReference(f, name) {
				tags = append(tags, name)
			}
		}
		if f.Contains("reference") && len(tags) == 0 ||
			f.Contains("label") && !f.MatchKVList("label", p.config.Labels) {
			continue
		}
		if len(tags) == 0 {
			tags = []string{"<none>:<none>"}
		}
		list = append(list, map[string]any{
			"Id": p.id, "ParentId": p.parent, "RepoTags": tags, "RepoDigests": nil, "Created": p.created.Unix(),
			"Size": p.size, "VirtualSize": p.size, "SharedSize": -1, "Containers": -1, "Labels": p.config.Labels,
		})
	}
	slices.SortFunc(list, func(a, b map[string]any) int { return strings.Compare(a["Id"].(string), b["Id"].(string)) })
	return answer{http.StatusOK, list}, nil
}

func matchesReference(f filters.Args, name string) bool {
	if !f.Contains("reference") {
		return true
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return false
	}
	for _, pattern := range f.Get("reference") {
		if ok, err := reference.FamiliarMatch(pattern, named); err == nil && ok {
			return true
		}
	}
	return false
}

func (s *Sim) tagImage(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.findImageLocked(c.id)
	if p == nil {
		return answer{}, refuse(http.StatusNotFound, "No such image: %s", withTag(c.id))
	}
	name, err := tagOf(c.query.Get("repo"), c.query.Get("tag"))
	if err != nil {
		return answer{}, err
	}
	s.refs[name] = p
	s.emitImage(p, "tag", name)
	return answer{status: http.StatusCreated}, nil
}

// tagOf joins a repository and a tag.
func tagOf(repo, tag string) (string, error) {
	if tag != "" {
		repo += ":" + tag
	}
	if _, err := reference.ParseNormalizedNamed(repo); err != nil {
		return "", refuse(http.StatusBadRequest, "%v", err)
	}
	return withTag(repo), nil
}

func (s *Sim) removeImage(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.findImageLocked(c.id)
	if p == nil {
		return answer{}, refuse(http.StatusNotFound, "No such image: %s", withTag(c.id))
	}
	name, names, user := withTag(c.id), s.namesLocked(p), s.userOf(p)
	byName := s.refs[name] == p
	var done []map[string]string
	switch {
	case byName && len(names) > 1:
		s.untag(p, name)
		return answer{http.StatusOK, append(done, map[string]string{"Untagged": name})}, nil
	case byName && user != nil && !c.flag("force"):
		return answer{}, refuse(http.StatusConflict, "conflict: unable to remove repository reference %q (must force)"+
			" - container %s is using its referenced image %s", c.id, user.id[:12], p.short())
	case byName && user != nil:
		s.untag(p, name)
		return answer{http.StatusOK, append(done, map[string]string{"Untagged": name})}, nil
	case !byName && user != nil:
		return answer{}, refuse(http.StatusConflict, "conflict: unable to delete %s (%s) - image is being used by %s container %s",
			p.short(), map[bool]string{true: "cannot be forced", false: "must be forced"}[user.running],
			map[bool]string{true: "running", false: "stopped"}[user.running], user.id[:12])
	case !byName && len(names) > 1 && !c.flag("force"):
		return answer{}, refuse(http.StatusConflict,
			"conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", p.short())
	}
	for _, n := range names {
		s.untag(p, n)
		done = append(done, map[string]string{"Untagged": n})
	}
	delete(s.images, p.id)
	s.emitImage(p, "delete", p.id)
	return answer{http.StatusOK, append(done, map[string]string{"Deleted": p.id})}, nil
}

// short is the id as Docker's tools show it.
func (p *picture) short() string { return strings.TrimPrefix(p.id, "sha256:")[:12] }

func (s *Sim) untag(p *picture, name string) {
	delete(s.refs, name)
	s.emitImage(p, "untag", p.id)
}

// userOf returns a container that was made from an image.
func (s *Sim) userOf(p *picture) *box {
	for _, c := range s.containers {
		if c.picture == p {
			return c
		}
	}
	return nil
}

func (s *Sim) commitContainer(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target, err := s.findLocked(c.query.Get("container"))
	if err != nil {
		return answer{}, err
	}
	if s.full {
		return answer{}, errNoSpace("overlay2/commit")
	}
	name := ""
	if repo := c.query.Get("repo"); repo != "" {
		if name, err = tagOf(repo, c.query.Get("tag")); err != nil {
			return answer{}, err
		}
	}
	config := *target.config
	for _, change := range c.query["changes"] {
		if user, found := strings.CutPrefix(change, "USER "); found {
			config.User = user
		}
	}
	pause := target.running && !target.paused && (c.query.Get("pause") == "" || c.flag("pause"))
	if pause {
		s.emitLocked(target, "pause", nil)
	}
	p := s.newImageLocked(&config, target.picture.id)
	if name != "" {
		s.refs[name] = p
		s.emitImage(p, "tag", name)
	}
	s.emitLocked(target, "commit", map[string]string{"comment": c.query.Get("comment"), "imageID": p.id, "imageRef": name})
	if pause {
		s.emitLocked(target, "unpause", nil)
	}
	return answer{http.StatusCreated, map[string]string{"Id": p.id}}, nil
}
