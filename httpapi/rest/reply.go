package rest

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

	"github.com/gin-gonic/gin"
)

// Vary names the headers of a request that an answer depends on; of Origin by what a browser may read.
const Vary = "Accept, Accept-Encoding, Origin"

// OK answers with 200.
func OK(c *gin.Context, body any) error {
	Reply(c.Writer, c.Request, http.StatusOK, body)
	return nil
}

// Created answers with 201.
func Created(c *gin.Context, body any) error {
	Reply(c.Writer, c.Request, http.StatusCreated, body)
	return nil
}

// Reply writes body as JSON under the media type that was asked for. A read is answered with an
// entity tag; where the client has that answer already, with 304 and no body.
func Reply(w http.ResponseWriter, r *http.Request, status int, body any) {
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(body); err != nil {
		panic(fmt.Sprintf("encode an answer of type %T: %v", body, err))
	}
	data := encoded.Bytes()
	media, ok := negotiateJSON(r.Header)
	if !ok {
		media = MediaJSON
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", Vary)
	packed := len(data) >= MinPacked && AcceptsGzip(r.Header)
	if r.Method == http.MethodGet && status == http.StatusOK {
		tag := h.Get("ETag")
		if !strings.Contains(tag, ".") {
			tag = ReadTag(tag, data)
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
	// An error here means that the client has gone.
	_, _ = w.Write(data)
}

// MinPacked is how many bytes are worth the work of compressing them.
const MinPacked = 1 << 10

// AcceptsGzip reports whether a client takes compressed answers.
func AcceptsGzip(h http.Header) bool {
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

// pack compresses data. No answer that is compressed has a secret beside what another client chose:
// the one secret is a new token, which is another one in each answer.
func pack(data []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(data) / 4)
	_ = Compress(&out, bytes.NewReader(data)) // from memory to memory
	return out.Bytes()
}

// Compress compresses what from has.
func Compress(to io.Writer, from io.Reader) error {
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(to)
	if _, err := io.Copy(w, from); err != nil {
		return err
	}
	return w.Close()
}

// OrEmpty returns a list that is encoded as [] where there is none.
func OrEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
