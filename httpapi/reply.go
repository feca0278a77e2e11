package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/gin-gonic/gin"
)

func ok(c *gin.Context, body any) error {
	reply(c.Writer, c.Request, http.StatusOK, body)
	return nil
}

func created(c *gin.Context, body any) error {
	reply(c.Writer, c.Request, http.StatusCreated, body)
	return nil
}

// reply writes body as JSON under the media type that was asked for. A read is answered with an
// entity tag; where the client has that answer already, with 304 and no body.
func reply(w http.ResponseWriter, r *http.Request, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("encode an answer of type %T: %v", body, err))
	}
	media, ok := negotiate(r.Header)
	if !ok {
		media = mediaJSON
	}
	data = append(data, '\n')
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept, Accept-Encoding")
	packed := len(data) >= minPacked && r.URL.Path != pathTokens && acceptsGzip(r.Header)
	if r.Method == http.MethodGet && status == http.StatusOK {
		tag := h.Get("ETag")
		if !strings.Contains(tag, ".") {
			tag = tagOfRead(tag, data)
		}
		if packed {
			tag = tag[:len(tag)-1] + packedMark + `"`
		}
		h.Set("ETag", tag)
		if hasRead(r.Header, tag) {
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if packed {
		data = pack(data)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	// A client that does not read its answer has only itself to tell.
	_, _ = w.Write(data)
}

// packedMark ends the entity tag of an answer that is compressed: other bytes, another tag.
const packedMark = "-gz"

// tagOfRead is the entity tag of an answer to a read: what it is a generation of, if it is of
// one, and behind a dot a sum of its bytes. A precondition of a write looks at the former alone, so
// that a status that changed makes no write stale.
func tagOfRead(generation string, data []byte) string {
	return fmt.Sprintf(`"%s.%x"`, strings.Trim(generation, `"`), xxhash.Sum64(data))
}

// generationOf is the part of an entity tag that names a generation.
func generationOf(tag string) string {
	if generation, _, read := strings.Cut(tag, "."); read {
		return generation + `"`
	}
	return tag
}

// hasRead reports whether a client has the answer of that entity tag, compressed or not.
func hasRead(h http.Header, tag string) bool {
	plain := func(tag string) string { return strings.TrimSuffix(strings.Trim(tag, `"`), packedMark) }
	tags, err := tagsOf(h, headerNoneMatch)
	if err != nil {
		return false // refused before
	}
	for _, one := range tags {
		if one == "*" || plain(strings.TrimPrefix(one, "W/")) == plain(tag) {
			return true
		}
	}
	return false
}

// minPacked is how many bytes are worth the work of compressing them.
const minPacked = 1 << 10

// acceptsGzip reports whether a client takes compressed answers.
func acceptsGzip(h http.Header) bool {
	accepted := false
	for _, value := range h.Values("Accept-Encoding") {
		for wish := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(strings.ToLower(wish), ";")
			if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
				continue
			}
			weight, _ := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			wanted := err != nil || q > 0
			if name == "gzip" {
				return wanted
			}
			accepted = wanted
		}
	}
	return accepted
}

// packers are compressors that have done their work: each has tables of a megabyte.
var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return w
}}

// pack compresses data. Nothing that an attacker chooses stands beside a secret that he does not
// know in one answer: tokens are in that of their creation alone, which is left as it is.
func pack(data []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(data) / 4)
	_ = packTo(&out, bytes.NewReader(data)) // from memory to memory
	return out.Bytes()
}

// packTo compresses what from has.
func packTo(to io.Writer, from io.Reader) error {
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(to)
	if _, err := io.Copy(w, from); err != nil {
		return err
	}
	return w.Close()
}
