package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// pageType is the media type of the page's examples.
const pageType = "Application/vnd.pkglatv1+json"

// api calls a daemon as its page says.
type api struct {
	url, token string
	http       *http.Client
}

func newAPI(d *daemon) *api {
	// The daemon is on this machine: no proxy of the environment stands in between.
	return &api{url: d.url, token: d.token, http: &http.Client{Transport: &http.Transport{}}}
}

// call sends body, if there is one, and reads the answer into answer, if that is wanted.
func (a *api) call(ctx context.Context, request string, body, answer any) error {
	data, err := a.send(ctx, request, body)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s: read the answer: %w", request, err)
	}
	return nil
}

// send sends a request, like "GET /containers", and returns the body of its success.
func (a *api) send(ctx context.Context, request string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second) // a DELETE waits up to 30 s
	defer cancel()
	method, path, _ := strings.Cut(request, " ")
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Accept", pageType)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	response, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request, err)
	}
	if response.StatusCode/100 != 2 || response.StatusCode == http.StatusAccepted {
		return nil, fmt.Errorf("%s: %s: %s", request, response.Status, bytes.TrimSpace(data))
	}
	return data, nil
}

// state is what the demo looks at of a container.
type state struct {
	ContainerID  string `json:"container_id"`
	InstallState string `json:"install_state"`
	State        string `json:"state"`
	Restarts     int    `json:"restarts"`
	Conditions   []struct{ Type, Status, Reason, Message string }
}

func (a *api) container(ctx context.Context, id string) (state, error) {
	var s state
	return s, a.call(ctx, "GET /containers/"+id, nil, &s)
}

// message is one from the WebSocket, with the time of its arrival.
type message struct {
	at         time.Time
	Event      string
	Data       string
	Seq        uint64
	Type       string
	InternalID string `json:"internal_id"`
	Message    string
	lines      []string // of the console that Data completes
	err        error
}

// follow opens the WebSocket of a container. The channel is closed after a message that
// carries the error that ended it.
func (a *api) follow(ctx context.Context, id string) (*websocket.Conn, <-chan message, error) {
	opening, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	conn, _, err := websocket.Dial(opening, a.url+"/ws/"+id+"?after=0", &websocket.DialOptions{
		HTTPClient: a.http, HTTPHeader: http.Header{"Authorization": {"Bearer " + a.token}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open the WebSocket: %w", err)
	}
	conn.SetReadLimit(1 << 20)
	messages := make(chan message, 256)
	go func() {
		defer close(messages)
		for {
			m := message{}
			_, data, err := conn.Read(ctx)
			if err == nil {
				err = json.Unmarshal(data, &m)
			}
			m.at, m.err = time.Now(), err
			select {
			case messages <- m:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return conn, messages, nil
}

// say sends a line to the program's standard input.
func say(ctx context.Context, conn *websocket.Conn, command string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	text, err := json.Marshal(map[string]string{"event": "send_command", "command": command + "\n"})
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}
