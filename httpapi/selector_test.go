package httpapi

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"lightd/httpapi/api"
)

// TestSelectorOfOddLabels goes all the way: such labels are written, chosen by, and pruned by.
func TestSelectorOfOddLabels(t *testing.T) {
	n := newNode(t)
	odd := `"labels":{" a, b!":"x=1, \\y"}`
	n.send("POST", "/containers", n.with("odd", odd)).want(t, 201, "")
	n.send("POST", "/containers", n.with("even", `"labels":{"a":"b"}`)).want(t, 201, "")
	selector := api.EscapeLabel(" a, b!") + "=" + api.EscapeLabel(`x=1, \y`)
	for _, target := range []string{"/containers", "/drift"} {
		n.send("GET", target+"?selector="+url.QueryEscape(selector), "").want(t, 200, "")
	}
	a := n.send("GET", "/containers?selector="+url.QueryEscape(selector), "")
	if strings.Count(a.text, "internal_id") != 1 || !strings.Contains(a.text, `"odd"`) {
		t.Errorf("got %s", a.text)
	}
	set := "a in (c, b)," + api.EscapeLabel(" a, b!") + " notin (x)"
	if a := n.send("GET", "/containers?selector="+url.QueryEscape(set), "").want(t, 200, ""); strings.Count(a.text, "internal_id") != 1 || !strings.Contains(a.text, `"even"`) {
		t.Errorf("of %s: got %s", set, a.text)
	}
	n.apply("", body(`"prune":true,"selector":`+strconv.Quote(selector)))
	if c, _ := n.store.Container("odd"); !c.Deleting {
		t.Error("it was not pruned")
	}
	if c, _ := n.store.Container("even"); c.Deleting {
		t.Error("another one was pruned")
	}
}
