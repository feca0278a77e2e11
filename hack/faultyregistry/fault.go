package faultyregistry

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"
)

// discard is for what a server has to say of connections that a fault has cut.
var discard = log.New(io.Discard, "", 0)

// Fault is what becomes of a request. Next is the registry.
type Fault func(w http.ResponseWriter, r *http.Request, kind Kind, next http.Handler)

// Of is a fault of the requests of one kind; the others are passed on.
func (f Fault) Of(kind Kind) Fault {
	return func(w http.ResponseWriter, r *http.Request, k Kind, next http.Handler) {
		if k != kind {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, k, next)
	}
}

// Times is a fault of so many requests; those after them are passed on.
func (f Fault) Times(times int64) Fault {
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, k Kind, next http.Handler) {
		if count.Add(1) > times {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, k, next)
	}
}

// Answer is an answer that does not come from the registry. Header has names and values in turn.
func Answer(status int, body string, header ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ Kind, _ http.Handler) {
		for n := 0; n+1 < len(header); n += 2 {
			w.Header().Set(header[n], header[n+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Echo refuses a request and repeats its credentials in the answer.
func Echo(w http.ResponseWriter, r *http.Request, _ Kind, _ http.Handler) {
	_, password, _ := r.BasicAuth()
	http.Error(w, r.Header.Get("Authorization")+", "+password, http.StatusForbidden)
}

// RedirectToItself sends the client back to where it has come from.
func RedirectToItself(w http.ResponseWriter, r *http.Request, _ Kind, _ http.Handler) {
	w.Header().Set("Location", r.URL.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// RedirectTo sends the client to another host.
func RedirectTo(host string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ Kind, _ http.Handler) {
		w.Header().Set("Location", "http://"+host+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// Delay answers after a while.
func Delay(by time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ Kind, next http.Handler) {
		pause(r, by)
		next.ServeHTTP(w, r)
	}
}

// onBody is a fault of the body of an answer; requests for none are passed on.
func onBody(f func(w http.ResponseWriter, r *http.Request, answer *http.Response, body []byte)) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ Kind, next http.Handler) {
		if r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		f(w, r, recorder.Result(), recorder.Body.Bytes())
	}
}

// send begins an answer that says that it has so many bytes, and sends the first ones.
func send(w http.ResponseWriter, answer *http.Response, says int, body []byte) {
	maps.Copy(w.Header(), answer.Header)
	w.Header().Set("Content-Length", strconv.Itoa(says))
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
}

// Rewrite alters the body of an answer, which says how long it is after that.
func Rewrite(alter func(body []byte) []byte) Fault {
	return onBody(func(w http.ResponseWriter, _ *http.Request, answer *http.Response, body []byte) {
		body = alter(body)
		send(w, answer, len(body), body)
	})
}

// Claim has an answer say that it has so many bytes more than it has, or fewer, and then ends the connection.
func Claim(more int) Fault {
	return onBody(func(w http.ResponseWriter, _ *http.Request, answer *http.Response, body []byte) {
		says := len(body) + more
		send(w, answer, says, body[:min(says, len(body))])
		panic(http.ErrAbortHandler)
	})
}

// Cut ends the connection behind so many bytes of the body.
func Cut(after int) Fault {
	return onBody(func(w http.ResponseWriter, _ *http.Request, answer *http.Response, body []byte) {
		send(w, answer, len(body), body[:min(after, len(body))])
		panic(http.ErrAbortHandler)
	})
}

// Silence answers with nothing, until the client goes.
func Silence(_ http.ResponseWriter, r *http.Request, _ Kind, _ http.Handler) { <-r.Context().Done() }

// Stall sends nothing any more behind so many bytes of the body, until the client goes.
func Stall(after int) Fault {
	return onBody(func(w http.ResponseWriter, r *http.Request, answer *http.Response, body []byte) {
		send(w, answer, len(body), body[:min(after, len(body))])
		<-r.Context().Done()
	})
}

// Drip sends the body so many bytes at a time, with a pause behind them.
func Drip(bytes int, every time.Duration) Fault {
	return onBody(func(w http.ResponseWriter, r *http.Request, answer *http.Response, body []byte) {
		says := len(body)
		for first := true; first || len(body) > 0 && r.Context().Err() == nil; first = false {
			n := min(bytes, len(body))
			if first {
				send(w, answer, says, body[:n])
			} else {
				_, _ = w.Write(body[:n])
				_ = http.NewResponseController(w).Flush()
			}
			body = body[n:]
			pause(r, every)
		}
	})
}

// pause returns after a while, or when the client has gone.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
