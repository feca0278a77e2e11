package console

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unicode/utf8"
)

// frame frames p as Docker does.
func frame(source byte, p string) string {
	head := make([]byte, 8)
	head[0] = source
	binary.BigEndian.PutUint32(head[4:], uint32(len(p)))
	return string(head) + p
}

func decodeIn(pieces ...string) string {
	var d decoder
	var out []byte
	for _, p := range pieces {
		out = d.append(out, []byte(p))
	}
	return string(d.flush(out))
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
		if n := lineCut(want); len(want) > 0 && (n < 1 || !utf8.Valid(want[:n])) {
			t.Fatalf("cut %q at %d", want, n)
		}
	})
}

func TestLineCut(t *testing.T) {
	for in, want := range map[string]int{
		"a\nb\nc": 4, "abc": 3, "abé": 4, "ab\xc3": 2, "a\n\xc3": 2, "a\xf0\x9f\x98": 1,
	} {
		if got := lineCut([]byte(in)); got != want {
			t.Errorf("lineCut(%q) = %d, want %d", in, got, want)
		}
	}
}

func FuzzDemux(f *testing.F) {
	f.Add([]byte("out\n"), []byte("err\n"), 3)
	f.Add([]byte{}, []byte("x"), 9)
	f.Fuzz(func(t *testing.T, out, errs []byte, step int) {
		in := []byte(frame(1, string(out)) + frame(2, string(errs)) + frame(1, string(out)))
		step = min(max(step, 1), len(in))
		var got [sources][]byte
		var d demux
		for len(in) > 0 {
			n := min(step, len(in))
			if err := d.feed(in[:n], func(s int, p []byte) { got[s] = append(got[s], p...) }); err != nil {
				t.Fatal(err)
			}
			in = in[n:]
		}
		if want := append(bytes.Clone(out), out...); !bytes.Equal(got[1], want) || !bytes.Equal(got[2], errs) {
			t.Fatalf("got %q and %q", got[1], got[2])
		}
	})
}

func TestDemuxRefusesWhatIsNoFrame(t *testing.T) {
	var d demux
	if err := d.feed([]byte("plain text"), func(int, []byte) { t.Error("handed out") }); err == nil {
		t.Error("no error")
	}
}
