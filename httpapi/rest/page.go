package rest

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// maxPage bounds the elements of a page.
const maxPage = 1000

// Page is the part of a list that a request asks for. Lists are sorted by a key that never
// changes, and a page begins after the key that the one before ended with: what is there all
// the while is in one page exactly, whatever is made or deleted meanwhile.
type Page struct {
	// list names the list: a token of one is none of another.
	list  string
	limit int
	after string
}

// PageOf reads it; without a limit the page has all that follows.
func PageOf(query url.Values, list string) (Page, error) {
	return page(query, list, math.MaxInt32, maxPage)
}

// LargePageOf reads it for a list of which no page has more than most.
func LargePageOf(query url.Values, list string, most uint64) (Page, error) {
	return page(query, list, most, most)
}

// Limit is how many elements the page has at most.
func (p Page) Limit() int { return p.limit }

// After is the key that the page begins behind; empty for the first one.
func (p Page) After() string { return p.after }

// Next is the token of the page behind one that ends with a key.
func (p Page) Next(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.list + "\n" + key))
}

func page(query url.Values, list string, absent, most uint64) (Page, error) {
	p := Page{list: list}
	limit, err := Number(query, QueryLimit, absent, 1, most)
	if err != nil {
		return p, err
	}
	p.limit = int(limit)
	token, given := query[QueryContinue]
	if !given {
		return p, nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(token[0])
	name, after, ok := strings.Cut(string(data), "\n")
	if err != nil || !ok || name != list || after == "" {
		return p, Invalid(Detail{Field: QueryContinue, Message: "must be the continue of an answer of this list"})
	}
	p.after = after
	return p, nil
}

// Cut returns the elements of a list, sorted by key, that are on the page; and the token of the
// next one, empty where none follows.
func Cut[T any](p Page, list []T, key func(T) string) (part []T, next string) {
	from, found := slices.BinarySearchFunc(list, p.after, func(e T, after string) int { return strings.Compare(key(e), after) })
	if found {
		from++
	}
	rest := list[from:]
	if len(rest) <= p.limit {
		return rest, ""
	}
	part = rest[:p.limit]
	return part, p.Next(key(part[len(part)-1]))
}

// ReplyPage answers with a page of a list. Its entity tag leaves the revision out, which every
// write raises: a list that is as it was is not sent again, and an older revision shows a watch
// no less.
func ReplyPage(c *gin.Context, p Page, elements any, revision uint64, next string) error {
	data, err := json.Marshal(elements)
	if err != nil {
		return err
	}
	c.Header("ETag", ReadTag(c.Writer.Header().Get("ETag"), append(data, next...)))
	body := map[string]any{p.list: json.RawMessage(data), "revision": revision}
	if next != "" {
		body[QueryContinue] = next
	}
	return OK(c, body)
}
