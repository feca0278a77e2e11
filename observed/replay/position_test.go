package replay

import (
	"errors"
	"strings"
	"testing"
	"time"

	"lightd/observed/streams"
)

func TestPositionIsWrittenAndRead(t *testing.T) {
	var c Composer
	now := time.Unix(1764115200, 123456789)
	c.Begin(streams.Target{ContainerID: "c1"}, now, true)
	for range 3 {
		c.Add(0, []byte("hello\nworld"), now)
		c.Add(1, []byte("é\x1b[1m\n"), now.Add(time.Millisecond))
		c.Take(len(c.Buf))
		p := c.Position(now)
		p.Ring, p.Offset = 1<<63+7, 1<<40
		got, err := ParsePosition(p.String())
		if err != nil || got.String() != p.String() || got.outs[0].open != 5 || !got.outs[1].at.Equal(p.outs[1].at) {
			t.Fatalf("%+v became %+v, %v", p, got, err)
		}
	}
	if got, err := ParsePosition(At(now).String()); err != nil || !got.last().Equal(now) {
		t.Errorf("a time became %+v, %v", got, err)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{"", "AQ", "!", At(time.Unix(1, 2)).String(), strings.Repeat("AQ", 60)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err != nil {
			if !errors.Is(err, ErrPosition) {
				t.Error(err)
			}
			return
		}
		again, err := ParsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %+v, and then %+v, %v", text, p, again, err)
		}
	})
}
