package faultyregistry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
)

// manifestType is the media type of the manifests of Push.
const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// Image is what was pushed.
type Image struct {
	// Digest is that of the manifest.
	Digest string
	// Layers are the blobs of its layers, from the lowest one.
	Layers []Blob
}

// Blob is what a manifest says of a blob.
type Blob struct {
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"`
	Digest    string `json:"digest"`
}

// Push puts an image with the tag 1 into a repository. Its layers have a file of random bytes each, as large as
// sizes says: no two images share one.
func (r *Registry) Push(repository string, sizes ...int) Image {
	r.t.Helper()
	var image Image
	var config struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		RootFS       struct {
			Type    string   `json:"type"`
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	config.Architecture, config.OS, config.RootFS.Type = runtime.GOARCH, runtime.GOOS, "layers"
	for n, size := range sizes {
		archive, packed := r.layer(fmt.Sprint("file-", n), size)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest(archive))
		image.Layers = append(image.Layers, r.pushBlob(repository, "application/vnd.docker.image.rootfs.diff.tar.gzip", packed))
	}
	described := r.pushBlob(repository, "application/vnd.docker.container.image.v1+json", r.json(config))
	r.configs.Store(described.Digest, true)
	manifest := r.json(map[string]any{"schemaVersion": 2, "mediaType": manifestType, "layers": image.Layers, "config": described})
	r.want(http.MethodPut, "/v2/"+repository+"/manifests/1", manifestType, manifest, http.StatusCreated)
	image.Digest = digest(manifest)
	return image
}

// layer returns an archive with one file, and the same archive compressed.
func (r *Registry) layer(name string, size int) (archive, packed []byte) {
	r.t.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content) // it never fails
	var plain, compressed bytes.Buffer
	files, zip := tar.NewWriter(&plain), gzip.NewWriter(&compressed)
	if err := files.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(size)}); err != nil {
		r.t.Fatal(err)
	}
	for _, err := range []error{second(files.Write(content)), files.Close(), second(zip.Write(plain.Bytes())), zip.Close()} {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return plain.Bytes(), compressed.Bytes()
}

func second(_ int, err error) error { return err }

func (r *Registry) json(v any) []byte {
	r.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// pushBlob uploads a blob in one piece.
func (r *Registry) pushBlob(repository, mediaType string, content []byte) Blob {
	r.t.Helper()
	blob := Blob{mediaType, int64(len(content)), digest(content)}
	begun := r.want(http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "", nil, http.StatusAccepted)
	_, path, _ := strings.Cut(begun.Header.Get("Location"), r.Address)
	r.want(http.MethodPut, path+"&digest="+blob.Digest, "application/octet-stream", content, http.StatusCreated)
	return blob
}

// want makes a request of the registry that has to be answered with a status.
func (r *Registry) want(method, path, mediaType string, body []byte, status int) *http.Response {
	r.t.Helper()
	answer, err := r.request(method, path, mediaType, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if answer.StatusCode != status {
		r.t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
	return answer
}

// request makes a request of the registry with its password.
func (r *Registry) request(method, path, mediaType string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(User, Password)
	request.Header.Set("Content-Type", mediaType)
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer, err
}
