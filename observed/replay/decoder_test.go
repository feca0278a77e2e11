package replay

import (
	"testing"
	"unicode/utf8"
)

func decodeIn(pieces ...string) string {
	var d Decoder
	var out []byte
	for _, p := range pieces {
		out = d.Append(out, []byte(p))
	}
	return string(d.Flush(out))
}

func TestDecoderJoinsWhatReadsSplit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"plain", []string{"ab", "c"}, "abc"},
		{"two bytes", []string{"\xc3", "\xa9"}, "é"},
		{"four bytes one by one", []string{"\xf0", "\x9f", "\x98", "\x80!"}, "😀!"},
		{"invalid", []string{"a\xffb"}, "a\uFFFDb"},
		{"cut off at the end", []string{"a\xe2\x82"}, "a\uFFFD\uFFFD"},
		{"cut off by another", []string{"\xe2", "\x82", "a"}, "\uFFFD\uFFFDa"},
		{"lead after lead", []string{"\xf0", "\xf0\x9f", "\x98\x80"}, "\uFFFD😀"},
		{"nothing", []string{"", ""}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := decodeIn(tc.pieces...); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("héllo\xff 😀\xe2\x82"), 3, 5)
	f.Add([]byte{0xf0, 0x9f, 0x98}, 1, 1)
	f.Fuzz(func(t *testing.T, in []byte, a, b int) {
		var want []byte
		for _, r := range string(in) {
			want = utf8.AppendRune(want, r)
		}
		a = min(max(a, 0), len(in))
		b = min(max(b, a), len(in))
		if got := decodeIn(string(in[:a]), string(in[a:b]), string(in[b:])); got != string(want) {
			t.Fatalf("split at %d and %d: got %q, want %q", a, b, got, want)
		}
		if n := LineCut(want); len(want) > 0 && (n < 1 || !utf8.Valid(want[:n])) {
			t.Fatalf("cut %q at %d", want, n)
		}
	})
}

func TestLineCut(t *testing.T) {
	for in, want := range map[string]int{
		"a\nb\nc": 4, "abc": 3, "abé": 4, "ab\xc3": 2, "a\n\xc3": 2, "a\xf0\x9f\x98": 1,
	} {
		if got := LineCut([]byte(in)); got != want {
			t.Errorf("lineCut(%q) = %d, want %d", in, got, want)
		}
	}
}
