package client

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestPages: lists are read page by page, and come as one; the tag and the revision are those of
// the first page, which a change after it makes stale.
func TestPages(t *testing.T) {
	var asked []string
	c := faked(t, func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.RequestURI())
		page := len(asked)
		more := fmt.Sprintf(`,"continue":"p%d"`, page+1)
		if page == 3 {
			more = ""
		}
		one := fmt.Sprintf(`[{"internal_id":"c%d","volume_id":"v%d","port":%d}]`, page, page, page)
		return answered(r, 200, fmt.Sprintf(`{"containers":%s,"ports":%s,"volumes":%s,"revision":%d,"in_sync":%d%s}`, one, one, one, page, page, more),
			fmt.Sprintf(`ETag: "t%d"`, page))
	})
	ctx := t.Context()
	for target, read := range map[string]func() (string, error){
		"/containers?limit=500&selector=a": func() (string, error) {
			l, err := c.List(ctx, "a")
			return fmt.Sprint(len(l.Containers), l.Containers[2].InternalID, l.Revision, l.ETag), err
		},
		"/containers?limit=500&view=full": func() (string, error) {
			l, err := c.ListFull(ctx, "")
			return fmt.Sprint(len(l.Containers), l.Containers[2].InternalID, l.Revision, l.ETag), err
		},
		"/network/ports?limit=500": func() (string, error) {
			l, err := c.Ports(ctx)
			return fmt.Sprint(len(l), fmt.Sprintf("c%d", l[2].Port), 1, `"t1"`), err
		},
		"/volumes?limit=500": func() (string, error) {
			l, err := c.Volumes(ctx)
			return fmt.Sprint(len(l), "c"+l[2].VolumeID[1:], 1, `"t1"`), err
		},
		"/drift?limit=500": func() (string, error) {
			d, err := c.NodeDrift(ctx, "")
			return fmt.Sprint(len(d.Containers), d.Containers[2].InternalID, d.InSync-2, `"t1"`), err
		},
	} {
		asked = nil
		if got, err := read(); err != nil || got != fmt.Sprint(3, "c3", 1, `"t1"`) {
			t.Errorf("%s: got %q, %v", target, got, err)
		}
		path, query, _ := strings.Cut(target, "?")
		if want := []string{target, path + "?continue=p2&" + query, path + "?continue=p3&" + query}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
}
