package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lightd/hack/harness"
)

// program of the page's test: colours, progress on one line, a trap for pages that take
// text for markup, and an answer to each line that it reads.
const chatter = `printf "\033[1;32mgreen\033[0m and \033[38;5;208morange\033[0m\n"; ` +
	`for i in 10 50 100; do printf "\rloading %s %%" $i; done; echo; ` +
	`echo "<img src=x onerror=document.title=\"taken\">"; echo Listening on port 80; ` +
	`while read line; do echo "heard $line"; done`

// TestConsolePage opens hack/console.html in a browser, and uses it as a person would.
func TestConsolePage(t *testing.T) {
	t.Parallel()
	pages := httptest.NewServer(http.FileServer(http.Dir("../../hack")))
	t.Cleanup(pages.Close)
	config := settingsFile(t, fmt.Sprintf("origins: [%q]\n", pages.URL))
	// It comes back to its address, which no connection of anybody's may have taken meanwhile.
	address := fmt.Sprintf("127.0.0.1:%d", unused(t, 1))
	n := newNode(t, "--config", config, "--listen", address)
	volume, _ := n.volume()
	id := "e2e-page"
	n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"start_pattern":"Listening","startup_command":%q`, chatter))).want(201, "")
	n.until(id, "installed", installed)

	b := newBrowser(t)
	b.open(pages.URL + "/console.html")
	b.enter("#address", n.url)
	b.enter("#container", id)
	b.enter("#token", n.token)
	b.click("#go")
	b.shows("#link", "connected")
	b.shows("#word", "installed")
	b.offers("start")
	if b.run("document.querySelector('#connect').offsetHeight") != "0" {
		t.Error("the form of the connection stays")
	}
	b.click("[data-action=start]")
	b.shows("#word", "running")
	b.offers("stop restart kill")
	b.shows("#output", "Listening on port 80")
	b.enter("#command", "hello there\n")
	b.shows("#output", "heard hello there")
	b.shows("#stats", "Memory")
	b.checkScreen()
	b.checkFollows()

	picture := b.screenshot()
	save(t, picture)
	if colours := distinct(t, picture); colours < 20 {
		t.Errorf("the picture has %d colours: is there anything on it?", colours)
	}

	b.run(`(told = [], new MutationObserver(() => told.push(link.textContent)).observe(link, { childList: true }))`)
	n.terminate()
	n.start("--config", config, "--listen", address)
	b.until("document.querySelector('#link').textContent", "connection", func(s string) bool { return s == "connected" })
	// What it said meanwhile was on the page for a moment only.
	if told := b.run("told.join()"); !strings.Contains(told, "daemon is stopping: connecting again") {
		t.Errorf("on the way it told %q", told)
	}
	b.enter("#command", "and again\n")
	b.shows("#output", "heard and again")
	for _, once := range []string{"Listening on port 80", "heard hello there", "heard and again"} {
		if got := strings.Count(b.run("document.querySelector('#output').textContent"), once); got != 1 {
			t.Errorf("%q is shown %d times", once, got)
		}
	}
	b.click("[data-action=stop]")
	b.shows("#word", "offline")
	b.offers("start")
	n.delete(id)
	b.until("document.querySelector('#link').textContent", "end", func(s string) bool { return s == "container deleted" })
	if url := b.run("location.href"); strings.Contains(url, n.token) {
		t.Error("the token is in the address")
	}
}

// offers waits until just these actions can be chosen.
func (b *browser) offers(actions string) {
	b.t.Helper()
	b.until(`[...document.querySelectorAll("#power button:enabled")].map(e => e.dataset.action).join(" ")`, actions,
		func(s string) bool { return s == actions })
}

// checkFollows makes the window small: the end of the output stays in sight, until the user scrolls
// away from it.
func (b *browser) checkFollows() {
	b.t.Helper()
	const toEnd = "(e => e.scrollHeight - e.scrollTop - e.clientHeight)(document.querySelector('#output'))"
	atEnd := func(s string) bool { n, err := strconv.ParseFloat(s, 64); return err == nil && n < 2 }
	for _, height := range []string{"260px", "230px"} {
		b.run(fmt.Sprintf("(document.body.style.height = %q)", height))
		b.until(toEnd, "end of the output", atEnd)
		b.enter("#command", "in "+height+"\n")
		b.shows("#output", "heard in "+height)
		b.until(toEnd, "end of the output", atEnd)
	}
	if b.run("document.querySelector('#output').scrollTop") == "0" {
		b.t.Error("the output fits the window: nothing was to be followed")
	}
	b.run("(document.querySelector('#output').scrollTop = 0)")
	b.until("screen.follow", "scrolling", func(s string) bool { return s == "false" })
	b.run("(document.body.style.height = '250px')")
	b.until("document.querySelector('#output').scrollTop", "place that the user chose", func(s string) bool { return s == "0" })
	b.run("(document.body.style.height = '', screen.follow = true, screen.toEnd())")
}

// checkScreen compares what is shown of the program's first lines with what a terminal shows.
func (b *browser) checkScreen() {
	b.t.Helper()
	lines := strings.Split(b.run(`[...document.querySelectorAll("#output > div:not([class])")].map(e => e.textContent).join("\n")`), "\n")
	want := []string{"green and orange", "loading 100 %", `<img src=x onerror=document.title="taken">`, "Listening on port 80"}
	for i, line := range want {
		if i >= len(lines) || lines[i] != line {
			b.t.Fatalf("line %d of %q is not %q", i, lines, line)
		}
	}
	for span, css := range map[int][2]string{0: {"fontWeight", "700"}, 1: {"color", "rgb(255, 135, 0)"}} {
		got := b.run(fmt.Sprintf("getComputedStyle(document.querySelectorAll('#output span')[%d]).%s", span, css[0]))
		if got != css[1] {
			b.t.Errorf("%s of stretch %d is %s, want %s", css[0], span, got, css[1])
		}
	}
	if title := b.run("document.title"); title != "e2e-page" {
		b.t.Errorf("the title is %q", title)
	}
}

// save keeps a picture for whoever wants to look at it.
func save(t *testing.T, picture []byte) {
	t.Helper()
	dir := cmp.Or(os.Getenv("LIGHTD_TEST_PICTURES"), "../../.bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "console.png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// distinct counts the colours of a PNG.
func distinct(t *testing.T, data []byte) int {
	t.Helper()
	picture := harness.Value[image.Image](t)(png.Decode(bytes.NewReader(data)))
	colours := map[[4]uint32]bool{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			r, g, b, a := picture.At(x, y).RGBA()
			colours[[4]uint32{r, g, b, a}] = true
		}
	}
	return len(colours)
}
