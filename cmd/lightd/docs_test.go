package main

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"lightd/cmd/lightd/docs"
	"lightd/hack/harness"
	"lightd/hack/releases"
	"lightd/httpapi/openapi"
)

// TestDocsFit: no line of a topic is wider than the terminal, but those of examples on a narrow one.
func TestDocsFit(t *testing.T) {
	for _, topic := range docs.Topics {
		for _, width := range []int{80, 50} {
			var b strings.Builder
			if err := topic.Write(&b, width); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(b.String(), "# ") || strings.Contains(b.String(), "\npackage ") {
				t.Errorf("%s is no reference:\n%.300s", topic.Name, b.String())
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if n := utf8.RuneCountInString(line); n > 80 || n > width && !strings.HasPrefix(line, "    ") {
					t.Errorf("%s at %d: %d columns: %s", topic.Name, width, n, line)
				}
			}
		}
	}
}

// TestDocs: topics are listed, printed, completed, and a misspelt one is answered with the one that
// was meant.
func TestDocs(t *testing.T) {
	list, _, code := call(t, nil, "docs")
	offers, _, _ := call(t, nil, "__complete", "docs", "")
	for _, topic := range docs.Topics {
		if code != 0 || !strings.Contains(list, "\n"+topic.Name+" ") || !strings.Contains(offers, topic.Name+"\t"+topic.Short+"\n") {
			t.Errorf("%s is not in the list, or not completed:\n%s\n%s", topic.Name, list, offers)
		}
		if len(topic.Short) > 68 {
			t.Errorf("%s: its line in the list is too long", topic.Name)
		}
	}
	if offers, _, _ := call(t, nil, "__complete", "docs", "api", ""); !strings.HasPrefix(offers, ":") {
		t.Errorf("a second topic is offered: %s", offers)
	}
	if text, _, code := call(t, nil, "docs", "WATCH"); code != 0 || !strings.HasPrefix(text, "# Watch\n") {
		t.Errorf("docs WATCH: %d %s", code, text)
	}
	for given, want := range map[string]string{
		"wacth": `did you mean "watch"?`, "wbsocket": `did you mean "websocket"?`, "zzzz": "there are operate, cli, spec, states", "api watch": "takes one topic, got 2",
	} {
		if _, stderr, code := call(t, nil, append([]string{"docs"}, strings.Fields(given)...)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("docs %s: %d %s", given, code, stderr)
		}
	}
}

// TestDocsAreComplete: every word that a client can meet as a state, condition, reason or event, and
// every route, is in the reference.
func TestDocsAreComplete(t *testing.T) {
	document, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) string {
		topic, found := docs.Find(name)
		if !found {
			t.Fatalf("there is no topic %s", name)
		}
		var b strings.Builder
		if err := topic.Write(&b, 1000); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	states, api := text("states"), text("api")
	schemas := document["components"].(map[string]any)["schemas"].(map[string]any)
	words := 0
	for _, name := range []string{"InstallState", "State", "ConditionType", "Reason", "EventType"} {
		for _, word := range schemas[name].(map[string]any)["enum"].([]any) {
			words++
			if !strings.Contains(states, word.(string)) {
				t.Errorf("docs states has no %s %s", name, word)
			}
		}
	}
	for path := range document["paths"].(map[string]any) {
		words++
		last := path[strings.LastIndexByte(path, '/'):]
		if path = strings.NewReplacer("{", ":", "}", "").Replace(path); !strings.Contains(api, path) && !strings.Contains(api, last) {
			t.Errorf("docs api has no %s", path)
		}
	}
	if words < 90 {
		t.Errorf("only %d words were compared", words)
	}
}

// TestDataDirectoryIsDocumented: all that a data directory has is named in the reference.
func TestDataDirectoryIsDocumented(t *testing.T) {
	topic, _ := docs.Find("data")
	var text strings.Builder
	if err := topic.Write(&text, 80); err != nil {
		t.Fatal(err)
	}
	for _, name := range releases.Names(t) {
		for _, e := range harness.Value[[]os.DirEntry](t)(os.ReadDir(releases.Unpack(t, name))) {
			if !strings.Contains(text.String(), "\n    "+e.Name()) {
				t.Errorf("%s has %s, which docs data does not name", name, e.Name())
			}
		}
	}
}
