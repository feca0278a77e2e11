package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lightd/desired"
	"lightd/httpapi/api"
)

// failures are ways for a request to fail.
var failures = map[string]transport{
	"refused": func(*http.Request) (*http.Response, error) { return nil, errRefused },
	"reset":   func(r *http.Request) (*http.Response, error) { sent(r); return nil, errReset },
	"429": func(r *http.Request) (*http.Response, error) {
		return answered(r, 429, `{"error":"Too many waits","code":"too_many_waits"}`, "Retry-After: 1")
	},
	"429 for ever": func(r *http.Request) (*http.Response, error) {
		return answered(r, 429, `{"error":"Too many tokens","code":"too_many_tokens"}`)
	},
	"503": func(r *http.Request) (*http.Response, error) {
		return answered(r, 503, `{"error":"Database is not available","code":"database_unavailable"}`, "Retry-After: 1")
	},
	"503 stopping": func(r *http.Request) (*http.Response, error) {
		return answered(r, 503, `{"error":"Daemon is stopping","code":"stopping"}`)
	},
	"502": func(r *http.Request) (*http.Response, error) { return answered(r, 502, "<html>Bad Gateway") },
	"500": func(r *http.Request) (*http.Response, error) {
		return answered(r, 500, `{"error":"Internal error","code":"internal"}`)
	},
	"507": func(r *http.Request) (*http.Response, error) {
		return answered(r, 507, `{"error":"Disk is full","code":"disk_full"}`)
	},
	"409": func(r *http.Request) (*http.Response, error) {
		return answered(r, 409, `{"error":"Port already in use","code":"port_in_use"}`)
	},
	"412": func(r *http.Request) (*http.Response, error) {
		return answered(r, 412, `{"error":"Stale","code":"precondition_failed"}`)
	},
	"302": func(r *http.Request) (*http.Response, error) {
		return answered(r, 302, "", "Location: http://elsewhere.example/")
	},
}

var (
	always  = "refused 429"
	safe    = "refused 429 reset 503 503stopping 502"
	unknown = "reset 503 503stopping 502 500"
)

// TestRepeatsWhatIsSafe fails every kind of request once in every way.
func TestRepeatsWhatIsSafe(t *testing.T) {
	spec := desired.Spec{InternalID: "web"}
	calls := []struct {
		name    string
		call    func(context.Context, *Client) error
		repeats string
		writes  bool
	}{
		{"a read", func(ctx context.Context, c *Client) error { _, err := c.Get(ctx, "web"); return err }, safe, false},
		{"a look whether it is ready", func(ctx context.Context, c *Client) error { return c.Ready(ctx) }, "", false},
		{"a put", func(ctx context.Context, c *Client) error { _, err := c.Put(ctx, spec, Write{}); return err }, safe, true},
		{"a put with a precondition", func(ctx context.Context, c *Client) error {
			_, err := c.Put(ctx, spec, Write{IfMatch: `"a-1"`})
			return err
		}, always, true},
		{"a put of what must not be there", func(ctx context.Context, c *Client) error {
			_, err := c.Put(ctx, spec, Write{IfNone: true})
			return err
		}, always, true},
		{"a patch", func(ctx context.Context, c *Client) error { _, err := c.Patch(ctx, "web", spec, Write{}); return err }, safe, true},
		{"a deletion", func(ctx context.Context, c *Client) error { _, err := c.Delete(ctx, "web", Write{}); return err }, safe, true},
		{"an apply", func(ctx context.Context, c *Client) error { _, err := c.Apply(ctx, List{}, Write{}); return err }, safe, true},
		{"an apply with a precondition", func(ctx context.Context, c *Client) error {
			_, err := c.Apply(ctx, List{}, Write{IfMatch: `"a"`})
			return err
		}, always, true},
		{"a creation", func(ctx context.Context, c *Client) error { _, err := c.Create(ctx, spec, Write{}); return err }, always, true},
		{"a restart", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{})
			return err
		}, always, true},
		{"a restart that waits", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{Wait: api.UntilRunning})
			return err
		}, always, true},
		{"a dry run of a restart", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{DryRun: true})
			return err
		}, safe, false},
		{"a reinstallation", func(ctx context.Context, c *Client) error {
			_, err := c.Reinstall(ctx, "web", Reinstall{}, Write{})
			return err
		}, always, true},
		{"a new volume", func(ctx context.Context, c *Client) error { _, err := c.CreateVolume(ctx); return err }, always, true},
		{"a deleted port", func(ctx context.Context, c *Client) error { return c.DeletePort(ctx, desired.Endpoint{Port: 1}) }, safe, true},
	}
	for _, k := range calls {
		for how, fail := range failures {
			t.Run(k.name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					attempts := 0
					c := faked(t, func(r *http.Request) (*http.Response, error) {
						if attempts++; attempts == 1 {
							return fail(r)
						}
						return answered(r, 200, `{}`)
					})
					err := k.call(t.Context(), c)
					word := strings.ReplaceAll(how, " ", "")
					if has(k.repeats, word) {
						if err != nil || attempts != 2 {
							t.Fatalf("%d attempts, %v: a second one should have helped", attempts, err)
						}
						return
					}
					if err == nil || attempts != 1 {
						t.Fatalf("%d attempts, %v: one was too many already", attempts, err)
					}
					if got, want := errors.Is(err, ErrUnknownOutcome), k.writes && has(unknown, word); got != want {
						t.Errorf("%v: unknown outcome is %v, want %v", err, got, want)
					}
					if strings.Contains(err.Error(), testToken) {
						t.Errorf("the token is told: %v", err)
					}
				})
			})
		}
	}
}

func has(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

// TestPauses measures when a call whose daemon is away tries again, and when it gives up.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		c := faked(t, func(*http.Request) (*http.Response, error) {
			at = append(at, time.Since(began))
			return nil, errRefused
		})
		_, err := c.List(t.Context(), "")
		if !errors.Is(err, ErrUnreachable) {
			t.Fatalf("%v is not ErrUnreachable", err)
		}
		if took := time.Since(began); took > defaultPatience || took < defaultPatience/2 {
			t.Errorf("gave up after %s", took)
		}
		pause := firstPause
		for i := 1; i < len(at); i++ {
			if d := at[i] - at[i-1]; d < pause/2 || d > pause {
				t.Errorf("pause %d took %s, want %s to %s", i, d, pause/2, pause)
			}
			pause = min(2*pause, maxPause)
		}
		if len(at) < 7 {
			t.Errorf("only %d attempts", len(at))
		}
	})
}

func TestPatienceIsBounded(t *testing.T) {
	cases := []struct {
		name     string
		patience time.Duration
		deadline time.Duration // of the context, 0 for none
		fail     string
		least    time.Duration
		most     time.Duration
		attempts int // 0 for more than one
	}{
		{"none", -1, 0, "refused", 0, 0, 1},
		{"a little", time.Second, 0, "refused", 300 * time.Millisecond, time.Second, 0},
		{"as much as the context has", Forever, time.Minute, "refused", 50 * time.Second, time.Minute, 0},
		{"the daemon asks for more than there is", time.Second, 0, "429", 0, 0, 1},
		{"the daemon asks for more than the context has", Forever, 500 * time.Millisecond, "429", 0, 0, 1},
		{"the daemon asks for a second", 3 * time.Second, 0, "429", time.Second, 3 * time.Second, 0},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), func() {}
				if k.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, k.deadline)
				}
				defer cancel()
				attempts, began, last := 0, time.Now(), time.Time{}
				c := faked(t, func(r *http.Request) (*http.Response, error) {
					if attempts++; k.fail == "429" && !last.IsZero() && time.Since(last) < time.Second {
						t.Errorf("came back after %s", time.Since(last))
					}
					last = time.Now()
					return failures[k.fail](r)
				}, func(cfg *Config) { cfg.Patience = k.patience })
				_, err := c.Get(ctx, "web")
				if took := time.Since(began); err == nil || took < k.least || took > k.most {
					t.Errorf("%v after %s, want %s to %s", err, took, k.least, k.most)
				}
				if k.attempts != 0 && attempts != k.attempts || k.attempts == 0 && attempts < 2 {
					t.Errorf("%d attempts", attempts)
				}
			})
		})
	}
}

// TestContextEndsEverything: a call returns when its context ends, whatever it is doing,
// and says why.
func TestContextEndsEverything(t *testing.T) {
	hanging := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
	for name, f := range map[string]transport{"while it pauses": failures["refused"], "while it waits for an answer": hanging} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				began := time.Now()
				time.AfterFunc(time.Second, cancel)
				_, err := faked(t, f, func(cfg *Config) { cfg.Patience = Forever }).Get(ctx, "web")
				if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
					t.Errorf("%v after %s", err, time.Since(began))
				}
			})
		})
	}
}

// TestSilentDaemon: no answer is waited for longer than the request itself may take.
func TestSilentDaemon(t *testing.T) {
	cases := []struct {
		name string
		call func(context.Context, *Client) error
		want time.Duration
	}{
		{"a restart", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{})
			return err
		}, defaultTimeout},
		{"a restart that waits", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{Wait: api.UntilRunning, Timeout: 5 * time.Minute})
			return err
		}, 5*time.Minute + defaultTimeout},
		{"a restart that waits as long as the daemon likes", func(ctx context.Context, c *Client) error {
			_, err := c.Power(ctx, "web", Restart, Write{Wait: api.UntilRunning})
			return err
		}, time.Minute + defaultTimeout},
		{"an installation's log", func(ctx context.Context, c *Client) error {
			_, err := c.InstallLog(ctx, "web")
			return err
		}, defaultTimeout},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := faked(t, func(r *http.Request) (*http.Response, error) {
					sent(r)
					<-r.Context().Done()
					return nil, fmt.Errorf("read: %w", r.Context().Err())
				}, func(cfg *Config) { cfg.Patience = -1 })
				began := time.Now()
				err := k.call(t.Context(), c)
				if !errors.Is(err, errTooSlow) || time.Since(began) != k.want {
					t.Errorf("%v after %s, want %s", err, time.Since(began), k.want)
				}
			})
		})
	}
}

// TestDeletedMeanwhile: a deletion whose answer was lost is not missed by its repetition,
// and one of nothing is.
func TestDeletedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := func(r *http.Request) (*http.Response, error) {
			return answered(r, 404, `{"error":"Container not found","code":"container_not_found"}`)
		}
		attempts := 0
		c := faked(t, func(r *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				return failures["reset"](r)
			}
			return gone(r)
		})
		receipt, err := c.Delete(t.Context(), "web", Write{})
		if err != nil || receipt.InternalID != "web" || receipt.Pending() {
			t.Errorf("%+v, %v", receipt, err)
		}
		if _, err := c.Delete(t.Context(), "web", Write{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v is not ErrNotFound", err)
		}
		attempts = 0
		refusing := faked(t, func(r *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				return nil, errRefused
			}
			return gone(r)
		})
		if _, err := refusing.Delete(t.Context(), "web", Write{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("nothing was sent the first time, and %v is not ErrNotFound", err)
		}
	})
}

// TestWaitsInParts: a wait is longer than any connection, and ends as soon as it is in vain.
func TestWaitsInParts(t *testing.T) {
	wait := func(met bool, reason string) string {
		return fmt.Sprintf(`{"internal_id":"web","generation":3,"wait":{"for":"running","met":%v,"reason":%q,"message":"m"}}`, met, reason)
	}
	cases := []struct {
		name    string
		timeout time.Duration
		reasons []string // of the answers; the last one is met
		parts   []string
		missed  string
	}{
		{"until it is met", 0, []string{"Timeout", "Timeout", ""}, []string{"45s", "45s", "45s"}, ""},
		{"for a time", time.Minute, []string{"Timeout", "Timeout"}, []string{"45s", "15s"}, "Timeout"},
		{"in vain", 0, []string{"Timeout", "InstallScriptFailed"}, []string{"45s", "45s"}, "InstallScriptFailed"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var parts []string
				c := faked(t, func(r *http.Request) (*http.Response, error) {
					part := r.URL.Query().Get("timeout")
					reason := k.reasons[len(parts)]
					parts = append(parts, part)
					if reason == "Timeout" {
						d, err := time.ParseDuration(part)
						if err != nil {
							t.Error(err)
						}
						time.Sleep(d)
					}
					return answered(r, 202, wait(reason == "", reason))
				})
				_, err := c.Wait(t.Context(), "web", api.UntilRunning, k.timeout)
				if fmt.Sprint(parts) != fmt.Sprint(k.parts) {
					t.Errorf("parts %v, want %v", parts, k.parts)
				}
				var u *WaitError
				if got := errors.As(err, &u); got != (k.missed != "") || got && string(u.Reason) != k.missed {
					t.Errorf("%v, want %q", err, k.missed)
				}
			})
		})
	}
}
