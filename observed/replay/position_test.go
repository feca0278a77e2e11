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

// TestPositionOfAnEarlierRelease: of two sums of the last text the one without a gap counts.
func TestPositionOfAnEarlierRelease(t *testing.T) {
	const text = "Avnb8P08TE4LAAAAAAAAAAAAqtyknbjbsvswHYCo1rkHQqkM0UklypUPtA2C9qlomzcCAAL57aEfhzqVO_-Dr18AAA"
	p, err := ParsePosition(text)
	if err != nil {
		t.Fatal(err)
	}
	var log cursorTracker
	log.add([]byte("before\nLoading (printed to nobody)... done\nafter\n"), time.Unix(1764115201, 0))
	if o := p.outs[0]; !log.isAt(o) || o.open != 2 || p.container != ContainerKey("c1") || !o.at.Equal(time.Unix(1764115201, 123456789)) {
		t.Errorf("got %+v", p)
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
