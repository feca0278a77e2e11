package sessions

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// visit is a session that leaves a second after it was told to stop.
type visit struct {
	valid atomic.Bool
	why   atomic.Value
	leave func()
}

func (v *visit) Valid() bool { return v.valid.Load() }

func (v *visit) Stop(why error) {
	if v.why.CompareAndSwap(nil, why) {
		time.AfterFunc(time.Second, v.leave)
	}
}

func enter(set *Set[*visit], key string) (*visit, error) {
	v := &visit{}
	v.valid.Store(true)
	v.leave = func() { set.Leave(key, v) }
	return v, set.Enter(key, v)
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := New[*visit](Limits{Total: 4, PerKey: 2, CheckEvery: time.Second})
		var a *visit
		for i, c := range []struct {
			key  string
			want error
		}{{"a", nil}, {"a", nil}, {"a", ErrTooMany}, {"", nil}, {"", nil}, {"", ErrTooMany}, {"b", ErrTooMany}} {
			v, err := enter(set, c.key)
			if !errors.Is(err, c.want) {
				t.Errorf("%d: %q: got %v, want %v", i, c.key, err, c.want)
			}
			if i == 0 {
				a = v
			}
		}
		a.leave()
		if _, err := enter(set, "b"); err != nil || set.Len() != 4 {
			t.Errorf("got %v with %d after one has left", err, set.Len())
		}
		for key, want := range map[string]int{"a": 1, "b": 1, "": 2, "c": 0} {
			n := 0
			set.Each(key, func(*visit) { n++ })
			if n != want {
				t.Errorf("%d of %q, want %d", n, key, want)
			}
		}
		set.Close()
	})
}

func TestTokenThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := New[*visit](Limits{Total: 2, CheckEvery: 2 * time.Second})
		defer set.Close()
		stays, _ := enter(set, "a")
		goes, _ := enter(set, "a")
		goes.valid.Store(false)
		time.Sleep(4 * time.Second)
		if goes.why.Load() != ErrExpired || stays.why.Load() != nil || set.Len() != 1 {
			t.Errorf("stopped with %v and %v, %d are left", goes.why.Load(), stays.why.Load(), set.Len())
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := New[*visit](Limits{Total: 2, CheckEvery: time.Hour})
		v, _ := enter(set, "")
		began := time.Now()
		go set.Close()
		<-set.Closing()
		set.Close()
		if v.why.Load() != ErrClosed || time.Since(began) != time.Second {
			t.Errorf("stopped with %v, closed after %s", v.why.Load(), time.Since(began))
		}
		if _, err := enter(set, ""); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}
