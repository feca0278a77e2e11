package render

import (
	"strings"
	"testing"
)

// server is what expressions are about.
func server(id string, memory int64, more map[string]any) map[string]any {
	all := map[string]any{"internal_id": id, "limits": map[string]any{"memory": memory, "cpu": 0.5}, "ports": []map[string]any{{"port": 25565, "ip": "::"}, {"port": 80, "ip": "0.0.0.0"}}}
	for key, value := range more {
		all[key] = value
	}
	return all
}

func TestTemplates(t *testing.T) {
	list := map[string]any{"containers": []any{server("a", 1<<40, nil), server("b", 2, map[string]any{"labels": map[string]string{"x.y": "<z>"}})}}
	for text, want := range map[string]string{
		"{.containers[*].internal_id}":                                           "a b",
		`{range .containers[*]}{.internal_id}={.limits.memory}{"\n"}{end}`:       "a=1099511627776\nb=2\n",
		`{range .containers[*]}{.internal_id} {end}{range .containers[*]}x{end}`: "a b xx",
		"{.containers[?(@.internal_id==\"b\")].ports[0].port}":                   "25565",
		"{.containers[0].ports[?(@.port==80)].ip}":                               "0.0.0.0",
		`{.containers[1].labels.x\.y}`:                                           "<z>",
		"{.containers[1].labels}":                                                `{"x.y":"\u003cz\u003e"}`,
		"{.containers[0].limits.cpu} of {.nothing}{.containers[0].a.b}cores":     "0.5 of cores",
		"text": "text", "": "",
	} {
		parsed, err := ParseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for range 2 { // the same again: an execution changes nothing
			var b strings.Builder
			if err := parsed.Write(&b, list); err != nil || b.String() != want {
				t.Errorf("%q: %v, %q, want %q", text, err, b.String(), want)
			}
		}
	}
	for _, text := range []string{"{.a", "{.a[}", "{.a[?(@.b)", "{..}{", `{"a}`} {
		if _, err := ParseTemplate(text); err == nil || !strings.Contains(err.Error(), "is no JSONPath") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if p, err := ParseTemplate("{.containers[9].internal_id}"); err != nil || p.Write(&strings.Builder{}, list) == nil {
		t.Errorf("an index that there is not: %v", err)
	}
}

func TestCustomColumns(t *testing.T) {
	c, err := ParseColumns(`ID:.internal_id,PORT:{.ports[*].port},L:limits,X:.x\.y,NONE:.none`)
	if err != nil {
		t.Fatal(err)
	}
	row, err := c.Row(server("a\x1b", 7, map[string]any{"x.y": nil}))
	if err != nil || strings.Join(row, "|") != `a`+"\x1b"+`|25565,80|{"cpu":0.5,"memory":7}|<none>|<none>` {
		t.Errorf("%q, %v", row, err)
	}
	var b strings.Builder
	table := c.NewTable(&b, false)
	table.Row(row...)
	if err := table.Flush(); err != nil || !strings.HasPrefix(b.String(), "ID") || !strings.Contains(b.String(), `a\x1b `) {
		t.Errorf("%q, %v", b.String(), err)
	}
	for _, text := range []string{"", "ID", "ID:", ":.a", "ID:.a,", "ID:{.a}{.b}", "ID:.a[", "A:{"} {
		if _, err := ParseColumns(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestSortBy(t *testing.T) {
	list := []map[string]any{server("b", 10, map[string]any{"x": "10"}), server("a", 9, nil), server("c", 100, map[string]any{"x": "9"})}
	for path, want := range map[string]string{".limits.memory": "abc", "{.internal_id}": "abc", "x": "abc", ".ports[1].port": "", ".limits": ""} {
		p, err := ParsePath(path)
		if err == nil {
			err = SortBy(list, p)
		}
		got := ""
		for _, one := range list {
			got += one["internal_id"].(string)
		}
		if err != nil || want != "" && got != want {
			t.Errorf("%s: %v, %s, want %s", path, err, got, want)
		}
	}
	p, err := ParsePath(".nothing.there")
	if err == nil {
		err = SortBy(list, p)
	}
	if err == nil || !strings.Contains(err.Error(), `".nothing.there" leads to nothing in any of them`) {
		t.Error(err)
	}
	if err := SortBy([]int{}, p); err != nil {
		t.Error(err)
	}
}

// FuzzTemplate: whatever is written as an expression is refused or has a text; none ends the program.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{.a}", "{range .a[*]}{.b}{end}", "{..a}", "{.a[?(@.b>1)]}", "{.a[-1:]}", "{end}", "{range .a}", `{"\n"}`, "{.*}", "{.a[0,1]}", "{$.a}", "{@}", "{.a['b','c']}", "{1}{true}"} {
		f.Add(s)
	}
	v := map[string]any{"a": []any{1, "x", nil, map[string]any{"b": 2, "c": []any{}}}, "n": nil}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "..") > 2 || len(text) > 100 {
			return // each descends into all that the one before it found
		}
		if p, err := ParseTemplate(text); err == nil {
			_ = p.Write(&strings.Builder{}, v)
		}
		if c, err := ParseColumns("A:" + text); err == nil {
			_, _ = c.Row(v)
		}
		if p, err := ParsePath(text); err == nil {
			_ = SortBy([]any{v, 1, nil, "x"}, p)
		}
	})
}
