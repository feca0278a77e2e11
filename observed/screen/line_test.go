package screen

import (
	"slices"
	"strings"
	"testing"
)

// shown feeds pieces to a line and returns every state that is shown, and the present one.
func shown(l *Line, pieces ...string) []string {
	var all []string
	for _, p := range pieces {
		l.Feed([]byte(p), func(text []byte) bool {
			all = append(all, string(text))
			return false
		})
	}
	return append(all, string(l.Show()))
}

func TestVisibleStatesOfALine(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"lines":                         {"one\r\ntwo", []string{"one", "two"}},
		"a prompt that is erased":       {"> \r\x1b[K[12:00:00 INFO]: Done\n", []string{"> ", "[12:00:00 INFO]: Done", ""}},
		"progress":                      {"10%\r20%\rServer ready\n", []string{"10%", "20%", "Server ready", ""}},
		"a shorter one behind a longer": {"Loading\rReady", []string{"Loading", "Readyng"}},
		"blanked out":                   {"Loading\r       \rReady\n", []string{"Loading", "       ", "Ready", ""}},
		"a spinner":                     {"wait |\b/\b-", []string{"wait |", "wait /", "wait -"}},
		"a blank at the end":            {"login: ", []string{"login: "}},
		"erased as a terminal does":     {"> ab\b \b\b \b", []string{"> ab", "> a ", ">  ", "> "}},
		"erased to the beginning":       {"abcdef\x1b[3D\x1b[1K", []string{"abcdef", "    ef"}},
		"erased wholly":                 {"abc\x1b[2K\rxy", []string{"abc", "xy"}},
		"moves":                         {"abcdef\x1b[2GX\x1b[2CY\x1b[1DZ", []string{"abcdef", "aXcdef", "aXcdYf", "aXcdZf"}},
		"insert, delete, blank":         {"abcdef\x1b[3G\x1b[2@\x1b[2P\x1b[X", []string{"abcdef", "ab  cdef", "abcdef", "ab def"}},
		"saved cursor":                  {"ab\x1b7cd\x1b8X", []string{"abcd", "abXd"}},
		"colours and titles":            {"\x1b[1;31mred\x1b[m \x1b]0;title\x07text\n", []string{"red text", ""}},
		"private modes":                 {"\x1b[?25lab\x1b[?1K", []string{"ab"}},
		"tabs":                          {"a\tb\n", []string{"a\tb", ""}},
		"a tab that is overwritten":     {"a\tb\r\x1b[2CX", []string{"a\tb", "a X     b"}},
		"a tab over text":               {"0123456789\r\tX", []string{"0123456789", "01234567X9"}},
		"another row":                   {"abc\x1b[Adef\x1b[5;3Hg", []string{"abc", "   def", "  g"}},
		"no end of a title":             {"\x1b]0;title\nDone", []string{"", "Done"}},
		"bell":                          {"Do\ane", []string{"Done"}},
		"characters of several bytes":   {"äöü\b\bx", []string{"äöü", "äxü"}},
		"bytes that are no characters":  {"\xffab\rx\xc3\n", []string{"\xffab", "x\xc3b", ""}},
	} {
		if got := shown(new(Line), c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		var byByte []string
		for i := range len(c.in) {
			byByte = append(byByte, c.in[i:i+1])
		}
		if got := shown(new(Line), byByte...); !slices.Equal(got, c.want) {
			t.Errorf("%s, byte by byte: got %q, want %q", name, got, c.want)
		}
	}
}

// TestLongLineIsShownInWindows that overlap, in bounded memory.
func TestLongLineIsShownInWindows(t *testing.T) {
	for name, begin := range map[string]string{"text": "", "cells": "x\b"} {
		var l Line
		longest, windows := 0, 0
		for range 64 {
			l.Feed([]byte(begin+strings.Repeat("x", MaxLine)), func(text []byte) bool {
				longest = max(longest, len(text))
				windows++
				return false
			})
		}
		if longest > MaxLine+1 || windows < 64 || cap(l.text) > 2*MaxLine || cap(l.cells) > 2*MaxLine {
			t.Errorf("%s: %d windows of up to %d bytes, room for %d and %d", name, windows, longest, cap(l.text), cap(l.cells))
		}
	}
}

// TestFloodOfChangesIsBounded: what changes a long line again and again costs no more than what
// prints as much.
func TestFloodOfChangesIsBounded(t *testing.T) {
	for name, change := range map[string]string{
		"overwritten": "\rx", "backspaces": "x\b", "erased before": "\x1b[1K", "deleted": "\x1b[GX\x1b[G\x1b[P",
		"inserted": "\x1b[G\x1b[@x", "far to the right": "\x1b[999Cx\x1b[2K", "saved": "\x1b7", "tabs": "\r\t\tx",
	} {
		var l Line
		shown := 0
		show := func(text []byte) bool { shown += len(text); return false }
		l.Feed([]byte(strings.Repeat("y", MaxLine-1)), show)
		flood := []byte(strings.Repeat(change, 1<<20/len(change)))
		for len(flood) > 0 {
			n := min(len(flood), 32<<10)
			l.Feed(flood[:n], show)
			flood = flood[n:]
		}
		if limit := (creditPerByte + 2) << 20; shown > limit {
			t.Errorf("%s: 1 MiB made %d bytes of states, want at most %d", name, shown, limit)
		}
	}
}
