package simengine

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// imageConfig is the configuration of an image as an archive holds it. The id stands there,
// as it is not made from the content here.
type imageConfig struct {
	ID      string            `json:"simengine_id"`
	Parent  string            `json:"simengine_parent,omitempty"`
	Created time.Time         `json:"created"`
	OS      string            `json:"os"`
	Config  *container.Config `json:"config"`
	RootFS  struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// archiveEntry is the entry of one image in the manifest of an archive.
type archiveEntry struct {
	Config           string
	RepoTags, Layers []string
}

// layerOf is the content of the layer that an image adds to its parent.
func layerOf(imageID string) []byte { return []byte("layer of " + imageID) }

func diffID(layer []byte) string {
	sum := sha256.Sum256(layer)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// saveImages answers with an archive as `docker save` makes it.
func (s *Sim) saveImages(c *call) (answer, error) {
	ref := c.query.Get("names")
	s.mu.Lock()
	p := s.findImageLocked(ref)
	if p == nil {
		s.mu.Unlock()
		return answer{}, refuse(http.StatusNotFound, "reference does not exist")
	}
	config := imageConfig{ID: p.id, Parent: p.parent, Created: p.created, OS: "linux", Config: p.config}
	config.RootFS.Type = "layers"
	var layers [][]byte
	for at := p; at != nil; at = s.images[at.parent] {
		layers = append([][]byte{layerOf(at.id)}, layers...)
	}
	s.mu.Unlock()
	entry := archiveEntry{Config: strings.TrimPrefix(p.id, "sha256:") + ".json", RepoTags: []string{withTag(ref)}}
	for _, layer := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID(layer))
	}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.w.WriteHeader(http.StatusOK)
	out := tar.NewWriter(c.w)
	write := func(name string, data []byte) { // a client that has gone is no matter
		_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))})
		_, _ = out.Write(data)
	}
	for i, layer := range layers {
		dir := config.RootFS.DiffIDs[i][len("sha256:"):]
		write(dir+"/VERSION", []byte("1.0"))
		write(dir+"/layer.tar", layer)
		entry.Layers = append(entry.Layers, dir+"/layer.tar")
	}
	text, err := json.Marshal(config)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	write(entry.Config, text)
	if text, err = json.Marshal([]archiveEntry{entry}); err != nil {
		panic(http.ErrAbortHandler)
	}
	write("manifest.json", text)
	_ = out.Close()
	return streamed, nil
}

// loadImages takes over an archive. As with the engine an error comes within the answer.
func (s *Sim) loadImages(c *call) (answer, error) {
	loaded, err := s.load(c.body)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	encoder := json.NewEncoder(c.w)
	if err != nil {
		_ = encoder.Encode(failed(err.Error()))
		return streamed, nil
	}
	for _, ref := range loaded {
		_ = encoder.Encode(map[string]string{"stream": "Loaded image: " + ref + "\n"})
	}
	return streamed, nil
}

// load puts the images of an archive under their names.
func (s *Sim) load(archive []byte) (loaded []string, err error) {
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if files[path.Clean(head.Name)], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	var entries []archiveEntry
	if err := json.Unmarshal(files["manifest.json"], &entries); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return nil, errNoSpace("tmp/docker-import")
	}
	for _, entry := range entries {
		p, err := s.imageOfLocked(entry, files)
		if err != nil {
			return nil, err
		}
		for _, ref := range entry.RepoTags {
			s.refs[withTag(ref)] = p
		}
		s.emitImage(p, "load", p.id)
		loaded = append(loaded, entry.RepoTags...)
	}
	return loaded, nil
}

// imageOfLocked returns the image that an entry describes, which may be there already. The caller
// holds the lock.
func (s *Sim) imageOfLocked(entry archiveEntry, files map[string][]byte) (*picture, error) {
	var config imageConfig
	if err := json.Unmarshal(files[entry.Config], &config); err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(entry.Layers) != len(config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("invalid manifest, layers length mismatch: expected %d, got %d", len(config.RootFS.DiffIDs), len(entry.Layers))
	}
	for i, name := range entry.Layers {
		if want, got := config.RootFS.DiffIDs[i], diffID(files[path.Clean(name)]); want != got {
			return nil, fmt.Errorf("invalid diffID for layer %d: expected %q, got %q", i, want, got)
		}
	}
	if p := s.images[config.ID]; p != nil {
		return p, nil
	}
	p := &picture{id: config.ID, parent: config.Parent, created: config.Created, config: config.Config, size: 2 << 20}
	s.images[p.id] = p
	return p, nil
}
