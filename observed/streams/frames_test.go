package streams

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// frame frames p as Docker does.
func frame(source byte, p string) string {
	head := make([]byte, headerLen)
	head[0] = source
	binary.BigEndian.PutUint32(head[4:], uint32(len(p)))
	return string(head) + p
}

func FuzzDemuxer(f *testing.F) {
	f.Add([]byte("out\n"), []byte("err\n"), 3)
	f.Add([]byte{}, []byte("x"), 9)
	f.Fuzz(func(t *testing.T, out, errs []byte, step int) {
		in := []byte(frame(1, string(out)) + frame(2, string(errs)) + frame(1, string(out)))
		step = min(max(step, 1), len(in))
		var got [Sources][]byte
		var d Demuxer
		for len(in) > 0 {
			n := min(step, len(in))
			if err := d.Feed(in[:n], func(s int, p []byte) { got[s] = append(got[s], p...) }); err != nil {
				t.Fatal(err)
			}
			in = in[n:]
		}
		if want := append(bytes.Clone(out), out...); !bytes.Equal(got[1], want) || !bytes.Equal(got[2], errs) {
			t.Fatalf("got %q and %q", got[1], got[2])
		}
	})
}

func TestDemuxerRefusesWhatIsNoFrame(t *testing.T) {
	var d Demuxer
	if err := d.Feed([]byte("plain text"), func(int, []byte) { t.Error("handed out") }); err == nil {
		t.Error("no error")
	}
}

func TestReadHeader(t *testing.T) {
	both := frame(1, "") + frame(2, "errors")
	for _, tc := range []struct {
		name, in string
		want     Header
		err      error
	}{
		{"of standard output", both, Header{Source: 1}, nil},
		{"of standard error", both[headerLen:], Header{Source: 2, Length: 6}, nil},
		{"cut off", both[:headerLen-1], Header{}, io.ErrUnexpectedEOF},
		{"at the end", "", Header{}, io.EOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := ReadHeader(strings.NewReader(tc.in)); got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tc.want, tc.err)
			}
		})
	}
	if _, err := ReadHeader(strings.NewReader("plain text without frames")); err == nil {
		t.Error("text without frames has a header")
	}
	if _, err := ReadHeader(strings.NewReader(frame(3, "broken"))); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a message of the engine became %v", err)
	}
}
