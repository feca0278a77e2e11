package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// report is what the reader sees.
type report struct {
	file    *os.File
	colour  bool
	began   time.Time
	step    int
	heading string
	figures []figure
}

// figure is a line of the summary.
type figure struct {
	what string
	took time.Duration
}

func newReport(f *os.File) *report {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &report{file: f, colour: terminal && os.Getenv("NO_COLOR") == "", began: time.Now()}
}

// Styles of a terminal.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (r *report) paint(style, text string) string {
	if !r.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// chapter begins a step; proves is what it shows.
func (r *report) chapter(heading, proves string) {
	r.step++
	r.heading = heading
	fmt.Fprintf(r.file, "\n%s\n   %s\n", r.paint(bold, fmt.Sprintf("%d. %s", r.step, heading)), r.paint(dim, proves))
}

// command is what a person would type at a shell.
func (r *report) command(line string) { r.prompt("$ ", line) }

// prompt is what a person would type.
func (r *report) prompt(prompt, line string) {
	fmt.Fprintf(r.file, "\n   %s\n", r.paint(cyan, prompt+printable(line)))
}

// output is what it prints; empty prints nothing.
func (r *report) output(text string) {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(r.file, strings.TrimRight("   "+printable(line), " "))
	}
}

// remark is something to know.
func (r *report) remark(format string, args ...any) {
	fmt.Fprintf(r.file, "   %s\n", r.paint(dim, fmt.Sprintf(format, args...)))
}

// proved is a promise seen kept.
func (r *report) proved(format string, args ...any) {
	at := r.paint(dim, fmt.Sprintf("(%.1fs)", time.Since(r.began).Seconds()))
	fmt.Fprintf(r.file, "   %s %s %s\n", r.paint(green, "ok:"), printable(strings.TrimSpace(fmt.Sprintf(format, args...))), at)
}

func (r *report) figure(what string, took time.Duration) {
	r.figures = append(r.figures, figure{what, took})
}

func (r *report) failure(err error) {
	where := ""
	if r.heading != "" {
		where = fmt.Sprintf(" in %d. %s", r.step, r.heading)
	}
	fmt.Fprintf(r.file, "\n%s\n", r.paint(red, "FAILED"+where))
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(r.file, "  ", printable(line))
	}
}

// more is what helps to understand a failure.
func (r *report) more(heading, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	fmt.Fprintf(r.file, "\n%s\n", r.paint(dim, heading))
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(r.file, "  ", printable(line))
	}
}

func (r *report) summary() {
	fmt.Fprintf(r.file, "\n%s\n", r.paint(bold, "Summary"))
	for _, f := range r.figures {
		fmt.Fprintf(r.file, "   %-46s %8.3fs\n", f.what, f.took.Seconds())
	}
	fmt.Fprintf(r.file, "   %-46s %8.3fs\n", "all of it", time.Since(r.began).Seconds())
	fmt.Fprintf(r.file, "\n%s\n", r.paint(green, "Everything as promised, and nothing left behind."))
}

// printable takes away what could move the cursor or hide text: part of it comes out
// of containers.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s)
}
