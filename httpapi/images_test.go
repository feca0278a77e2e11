package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"lightd/desired"
)

// TestImagesOfOthersAreRefused, and those of registries at private addresses, by every write of a spec, and by its dry run.
func TestImagesOfOthersAreRefused(t *testing.T) {
	n := newNode(t)
	n.create("web")
	before := n.send("GET", "/containers/web", "").text
	for _, image := range []string{desired.SnapshotRef(n.store.Instance(), "victim", 1), "sha256:2f7", "2f7", "127.0.0.1:2375/x", "localhost:5000/x", "0x7f.1:80/x", "169.254.169.254/latest/x", "[::1]/x", "10.0.0.1/x"} {
		spec := func(id string) string { return strings.Replace(n.spec(id), `"alpine:3"`, fmt.Sprintf("%q", image), 1) }
		for _, suffix := range []string{"", "?dry_run=true"} {
			for _, w := range [][2]string{
				{"POST /containers", spec("new")}, {"PUT /containers/web", spec("web")}, {"PUT /containers/new", spec("new")},
				{"PATCH /containers/web", fmt.Sprintf(`{"image":%q}`, image)},
				{"POST /apply", fmt.Sprintf(`{"containers":[%s]}`, spec("web"))},
			} {
				method, path, _ := strings.Cut(w[0], " ")
				if a := n.send(method, path+suffix, w[1]); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity || !strings.Contains(a.text, "image") {
					t.Errorf("%s%s with %s: %d %s", w[0], suffix, image, a.status, a.text)
				}
			}
		}
	}
	if after := n.send("GET", "/containers/web", "").text; after != before {
		t.Errorf("web is %s now, and was %s", after, before)
	}
}
