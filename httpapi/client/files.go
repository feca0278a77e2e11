package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"time"

	"lightd/httpapi/api"
)

// What the Op of an api.FileOperation can be. The last three are for StartFileJob.
const (
	MakeDirectory = "mkdir"
	RenameFile    = "rename"
	ChangeMode    = "chmod"
	CopyFiles     = "copy"
	Compress      = "compress"
	Decompress    = "decompress"
)

func filesRequest(method, volume string) request {
	return request{method: method, path: pathOf("volumes", volume, "files")}
}

// Files returns what a path of a volume is and, of a directory, everything that is in it. The empty path is the
// volume itself.
func (c *Client) Files(ctx context.Context, volume, name string) (api.Files, error) {
	var all api.Files
	r := filesRequest(http.MethodGet, volume)
	r.query = url.Values{"path": {name}}
	_, err := pages(ctx, c, r, func(p api.Files) string {
		p.Files = append(all.Files, p.Files...)
		all = p
		return p.Continue
	})
	return all, err
}

// File returns what a path of a volume is.
func (c *Client) File(ctx context.Context, volume, name string) (api.File, error) {
	r := filesRequest(http.MethodGet, volume)
	r.query = url.Values{"path": {name}, "limit": {"1"}}
	var one api.Files
	_, err := c.call(ctx, r, &one)
	return one.File, err
}

// FileReader is a file that is being read. Close it.
type FileReader struct {
	io.ReadCloser
	// Size is in bytes, ETag for the condition of a write.
	Size int64
	ETag string
}

// ReadFile opens a file of a volume.
func (c *Client) ReadFile(ctx context.Context, volume, name string) (*FileReader, error) {
	r := filesRequest(http.MethodGet, volume)
	r.query, r.accept = url.Values{"path": {name}, "download": {"true"}}, mediaBytes
	return c.readFile(ctx, r)
}

func (c *Client) readFile(ctx context.Context, r request) (*FileReader, error) {
	b, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return &FileReader{ReadCloser: b, Size: b.response.ContentLength, ETag: b.response.Header.Get("ETag")}, nil
}

// FileWrite says how a file is written. Its zero value is a write in any case, of a body whose length is not known.
type FileWrite struct {
	// IfMatch is the ETag of the file that may be replaced; empty for any.
	IfMatch string
	// IfNew writes only where there is no file.
	IfNew bool
	// Mode are the permissions in octal digits; empty keeps those of the file that is replaced.
	Mode string
	// Size is how many bytes the body has, if that is known and not 0.
	Size int64
}

// WriteFile writes a file of a volume, whole or not at all. It is never repeated, as the body can be read once.
func (c *Client) WriteFile(ctx context.Context, volume, name string, body io.Reader, w FileWrite) (api.File, error) {
	r := filesRequest(http.MethodPut, volume)
	r.query, r.header = url.Values{"path": {name}}, http.Header{}
	if w.Mode != "" {
		r.query.Set("mode", w.Mode)
	}
	if w.IfMatch != "" {
		r.header.Set("If-Match", w.IfMatch)
	}
	if w.IfNew {
		r.header.Set("If-None-Match", "*")
	}
	var f api.File
	return f, c.upload(ctx, r, body, w.Size, &f)
}

// FileOperation changes files of a volume, and returns what is there after it.
func (c *Client) FileOperation(ctx context.Context, volume string, op api.FileOperation) (api.File, error) {
	r := filesRequest(http.MethodPost, volume)
	r.body = op
	var f api.File
	_, err := c.call(ctx, r, &f)
	return f, err
}

// DeleteFiles deletes files of a volume, and directories with all that is in them.
func (c *Client) DeleteFiles(ctx context.Context, volume string, paths ...string) (api.FilesDeleted, error) {
	r := filesRequest(http.MethodDelete, volume)
	r.body = map[string][]string{"paths": paths}
	var done api.FilesDeleted
	_, err := c.call(ctx, r, &done)
	return done, err
}

// StartFileJob begins an operation on files that takes longer than a request.
func (c *Client) StartFileJob(ctx context.Context, volume string, op api.FileOperation) (api.FileJob, error) {
	r := filesRequest(http.MethodPost, volume)
	r.body = op
	var j api.FileJob
	_, err := c.call(ctx, r, &j)
	return j, err
}

// FileJobs lists the jobs of a volume, the oldest first.
func (c *Client) FileJobs(ctx context.Context, volume string) ([]api.FileJob, error) {
	var list struct {
		Jobs []api.FileJob `json:"jobs"`
	}
	_, err := c.call(ctx, get("volumes", volume, "jobs"), &list)
	return list.Jobs, err
}

// FileJob reads a job of a volume.
func (c *Client) FileJob(ctx context.Context, volume, id string) (api.FileJob, error) {
	var j api.FileJob
	_, err := c.call(ctx, get("volumes", volume, "jobs", id), &j)
	return j, err
}

// CancelFileJob ends a job of a volume; one that has ended it drops from the list.
func (c *Client) CancelFileJob(ctx context.Context, volume, id string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: pathOf("volumes", volume, "jobs", id)}, nil)
	return err
}

// jobPause is how often WaitFileJob looks at a job.
const jobPause = 200 * time.Millisecond

// WaitFileJob returns a job when it has ended, however it has. seen, unless nil, is called with it meanwhile.
func (c *Client) WaitFileJob(ctx context.Context, volume, id string, seen func(api.FileJob)) (api.FileJob, error) {
	for {
		j, err := c.FileJob(ctx, volume, id)
		if err != nil || j.EndedAt != nil {
			return j, err
		}
		if seen != nil {
			seen(j)
		}
		select {
		case <-ctx.Done():
			return j, context.Cause(ctx)
		case <-time.After(jobPause):
		}
	}
}

// SignUpload returns a link that whoever has it can upload a file of a volume by, without a token.
func (c *Client) SignUpload(ctx context.Context, volume string, link api.FileLinkRequest) (api.FileLink, error) {
	return c.sign(ctx, volume, "uploads", link)
}

// SignDownload is SignUpload for a download.
func (c *Client) SignDownload(ctx context.Context, volume string, link api.FileLinkRequest) (api.FileLink, error) {
	return c.sign(ctx, volume, "downloads", link)
}

func (c *Client) sign(ctx context.Context, volume, kind string, link api.FileLinkRequest) (api.FileLink, error) {
	var made api.FileLink
	_, err := c.call(ctx, request{method: http.MethodPost, path: pathOf("volumes", volume, kind), body: link}, &made)
	return made, err
}

// Upload writes the file of a link, without a token. size is 0 where it is not known.
func (c *Client) Upload(ctx context.Context, link api.FileLink, body io.Reader, size int64) (api.File, error) {
	var f api.File
	err := c.upload(ctx, request{method: http.MethodPut, path: link.URL, header: withoutToken}, body, size, &f)
	return f, withoutLink(err)
}

// Download opens the file of a link, without a token.
func (c *Client) Download(ctx context.Context, link api.FileLink) (*FileReader, error) {
	f, err := c.readFile(ctx, request{method: http.MethodGet, path: link.URL, accept: mediaBytes, header: withoutToken})
	return f, withoutLink(err)
}

// withoutLink drops the secret of a link from an error.
func withoutLink(err error) error {
	var refusal *Error
	var none *TransportError
	switch {
	case errors.As(err, &refusal):
		refusal.Path = path.Dir(refusal.Path)
	case errors.As(err, &none):
		none.Path = path.Dir(none.Path)
	}
	return err
}

// withoutToken has no token sent with a request.
var withoutToken = http.Header{"Authorization": nil}
