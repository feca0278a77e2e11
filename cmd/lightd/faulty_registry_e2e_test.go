package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	dockernetwork "github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"

	"lightd/hack/faultyregistry"
	"lightd/hack/harness"
	"lightd/httpapi/certs"
	"lightd/observed"
)

// listen listens in the network of the engine.
func (e *ownEngine) listen(address string) net.Listener {
	e.t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var r result
		var file *os.File
		if file, r.err = os.Open(fmt.Sprintf("/proc/%d/ns/net", e.pid())); r.err == nil {
			r.err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			_ = file.Close()
		}
		if r.err == nil {
			r.l, r.err = net.Listen("tcp", address)
		}
		done <- r
	}()
	r := <-done
	if r.err != nil {
		e.t.Fatalf("listen at %s in the network of the engine: %v", address, r.err)
	}
	return r.l
}

// gateway is the engine's own address in the network of its containers: no loopback, for which engines forgo
// the checks of certificates.
func (e *ownEngine) gateway() string {
	e.t.Helper()
	ctx, cancel := e.bounded()
	defer cancel()
	bridge, err := e.NetworkInspect(ctx, "bridge", dockernetwork.InspectOptions{})
	if err != nil || len(bridge.IPAM.Config) == 0 {
		e.t.Fatalf("the bridge is %+v, %v", bridge.IPAM, err)
	}
	return harness.Value[netip.Prefix](e.t)(netip.ParsePrefix(bridge.IPAM.Config[0].Subnet)).Masked().Addr().Next().String()
}

// stall is timeouts.pull of these tests, which bounds how long a pull may be without progress.
const stall = 6 * time.Second

// faulty is a container whose image is in a registry with a fault.
type faulty struct {
	*faultyregistry.Proxy
	repository string
	fault      faultyregistry.Fault
	want       observed.PullFault // "" for one that is no fault
	image      string             // "" for the tag of the repository
}

// registries are proxies before one registry, as an engine of their own reaches them.
type registries struct {
	*node
	engine *ownEngine
	plain, anonymous, mirror, trusted, untrusted, realm,
	elsewhere *faultyregistry.Proxy
	containers map[string]*faulty
}

func newRegistries(t *testing.T) *registries {
	e := newOwnEngine(t, `{"registry-mirrors": ["http://127.0.0.1:5003"], "max-download-attempts": 2}`)
	real, host := faultyregistry.Start(t), e.gateway()
	files, err := certs.SelfSigned(t.TempDir(), []string{host})
	if err != nil {
		t.Fatal(err)
	}
	certificate := &tls.Config{Certificates: []tls.Certificate{harness.Value[tls.Certificate](t)(tls.LoadX509KeyPair(files.Cert, files.Key))}}
	at := func(address string, o faultyregistry.Options) *faultyregistry.Proxy {
		o.Listener = e.listen(address)
		return real.Proxy(o)
	}
	r := &registries{
		engine: e, plain: at("127.0.0.1:5001", faultyregistry.Options{}), anonymous: at("127.0.0.1:5002", faultyregistry.Options{}),
		mirror: at("127.0.0.1:5003", faultyregistry.Options{Open: true}), realm: at("127.0.0.1:5004", faultyregistry.Options{}),
		trusted: at(host+":0", faultyregistry.Options{TLS: certificate}), untrusted: at(host+":0", faultyregistry.Options{TLS: certificate}),
		elsewhere: faultyregistry.Trap(t, faultyregistry.Options{Listener: e.listen("127.0.0.2:5001")}),
	}
	r.trust(r.trusted, files.Cert)
	r.containers = r.faults(real)
	dir := t.TempDir()
	login := filepath.Join(dir, "login.json")
	if err := os.WriteFile(login, faultyregistry.Login(r.plain, r.trusted, r.untrusted, r.realm), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := harness.Value[[]byte](t)(json.Marshal(map[string]any{
		"timeouts": map[string]any{"pull": stall.String()},
		"images": map[string]any{"credentials": login, "allowed": []string{"*", r.plain.Address, r.anonymous.Address, r.realm.Address, r.trusted.Address,
			r.untrusted.Address, host + ":1"}},
	}))
	r.node = newNode(t, "--docker-host", "unix://"+e.socket, "--config", settingsFile(t, string(settings)))
	return r
}

// trust puts the CA of a registry where engines look for it.
func (r *registries) trust(p *faultyregistry.Proxy, certificate string) {
	t := r.engine.t
	t.Helper()
	dir := filepath.Join("/etc/docker/certs.d", p.Address)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), harness.Value[[]byte](t)(os.ReadFile(certificate)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// faults publishes an image for each fault.
func (r *registries) faults(real *faultyregistry.Registry) map[string]*faulty {
	page := "<html>" + marker + "</html>"
	half := func(b []byte) []byte { return b[:len(b)/2] }
	other := func(b []byte) []byte { return bytes.Replace(b, []byte(":"), []byte(": "), 1) }
	wrong := func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }
	const manifest, config, layer = faultyregistry.Manifest, faultyregistry.Config, faultyregistry.Layer
	answer := faultyregistry.Answer
	all := map[string]*faulty{
		"slow":          {Proxy: r.plain, fault: faultyregistry.Delay(500 * time.Millisecond)},
		"slow-line":     {Proxy: r.plain, fault: faultyregistry.Drip(16<<10, time.Second).Of(layer)},
		"cut-once":      {Proxy: r.plain, fault: faultyregistry.Cut(70_000).Times(1).Of(layer)},
		"mirrored":      {Proxy: r.mirror, image: "faulty/mirrored:1"},
		"trusted":       {Proxy: r.trusted},
		"cut":           {Proxy: r.plain, fault: faultyregistry.Cut(100).Of(config), want: observed.PullCutOff},
		"cut-manifest":  {Proxy: r.plain, fault: faultyregistry.Cut(10).Of(manifest), want: observed.PullCutOff},
		"longer":        {Proxy: r.plain, fault: faultyregistry.Claim(1000).Of(manifest), want: observed.PullCutOff},
		"shorter":       {Proxy: r.plain, fault: faultyregistry.Claim(-100).Of(manifest), want: observed.PullBadAnswer},
		"drip":          {Proxy: r.plain, fault: faultyregistry.Drip(500, time.Second).Of(layer), want: observed.PullStalled},
		"stall":         {Proxy: r.plain, fault: faultyregistry.Stall(70_000).Of(layer), want: observed.PullStalled},
		"silence":       {Proxy: r.plain, fault: faultyregistry.Fault(faultyregistry.Silence).Of(manifest), want: observed.PullStalled},
		"rate":          {Proxy: r.plain, fault: answer(429, page, "Retry-After", "600").Of(manifest), want: observed.PullRateLimited},
		"rate-layer":    {Proxy: r.plain, fault: answer(429, page, "Retry-After", "600").Of(layer), want: observed.PullRateLimited},
		"error":         {Proxy: r.plain, fault: answer(500, page).Of(manifest), want: observed.PullServerError},
		"overload":      {Proxy: r.plain, fault: answer(503, page).Of(config), want: observed.PullServerError},
		"no-image":      {Proxy: r.plain, fault: answer(404, page).Of(manifest), want: observed.PullNotFound},
		"no-layer":      {Proxy: r.plain, fault: answer(404, page).Of(layer), want: observed.PullIncomplete},
		"forbidden":     {Proxy: r.plain, fault: answer(403, page).Of(layer), want: observed.PullDenied},
		"echo":          {Proxy: r.plain, fault: faultyregistry.Fault(faultyregistry.Echo).Of(layer), want: observed.PullDenied},
		"truncated":     {Proxy: r.plain, fault: faultyregistry.Rewrite(half).Of(manifest), want: observed.PullBadAnswer},
		"digest":        {Proxy: r.plain, fault: faultyregistry.Rewrite(other).Of(manifest), want: observed.PullBadAnswer},
		"wrong-bytes":   {Proxy: r.plain, fault: faultyregistry.Rewrite(wrong).Of(layer), want: observed.PullBadAnswer},
		"html":          {Proxy: r.plain, fault: answer(200, page, "Content-Type", "text/html").Of(manifest), want: observed.PullBadAnswer},
		"loop":          {Proxy: r.plain, fault: faultyregistry.Fault(faultyregistry.RedirectToItself).Of(manifest), want: observed.PullBadAnswer},
		"other-host":    {Proxy: r.plain, fault: faultyregistry.RedirectTo(r.elsewhere.Address).Of(config), want: observed.PullBadAnswer},
		"realm":         {Proxy: r.realm, fault: answer(401, page, "WWW-Authenticate", `Bearer realm="http://`+r.elsewhere.Address+`/token",service="x"`), want: observed.PullBadAnswer},
		"no-password":   {Proxy: r.anonymous, want: observed.PullDenied},
		"untrusted":     {Proxy: r.untrusted, want: observed.PullUntrusted},
		"nobody-serves": {Proxy: r.plain, image: r.engine.gateway() + ":1/faulty/x:1", want: observed.PullUnreachable},
	}
	for id, f := range all {
		f.repository = "faulty/" + id
		pushed := real.Push(f.repository, 100_000)
		if id == "digest" {
			f.image = f.Address + "/" + f.repository + "@" + pushed.Digest
		}
		if f.image == "" {
			f.image = f.Address + "/" + f.repository + ":1"
		}
		if id == "realm" {
			f.Break("", f.fault)
			continue
		}
		f.Break(f.repository, f.fault)
	}
	return all
}

// TestFaultyRegistry: whatever is the matter with a registry, the container that waits for its image says so in a
// plain sentence with what can be done, asks rarely, and goes on by itself once the registry behaves.
// What is slow and goes on is no fault. No answer of a registry and no password is in what anybody reads.
func TestFaultyRegistry(t *testing.T) {
	t.Parallel()
	r := newRegistries(t)
	volume, _ := r.volume()
	for id, f := range r.containers {
		r.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"image":%q`, f.image))).want(201, "")
	}
	for id, f := range r.containers {
		if f.want == "" {
			continue
		}
		want := "cannot be installed (since *): " + f.want.Of(f.image) + "; Lightd tries again *; " + strings.ReplaceAll(f.want.Remedy(), "ID", id)
		c := r.until(id, want, func(c view) bool { return matchesWords(want, c.Summary) })
		if reason := c.reason("Synced", "False"); reason != "ImageUnavailable" {
			t.Errorf("%s: the reason is %s", id, reason)
		}
		f.Break(f.repository, nil)
		f.Break("", nil)
	}
	if told, _, code := r.tool("describe", "untrusted"); code != 0 || !strings.Contains(told, "ca.crt below /etc/docker/certs.d") {
		t.Errorf("code %d:\n%s", code, told)
	}
	r.trust(r.untrusted, filepath.Join("/etc/docker/certs.d", r.trusted.Address, "ca.crt"))
	r.heal()
	r.paced()
	r.secret()
}

// heal waits until all containers have their images that can.
func (r *registries) heal() {
	r.t.Helper()
	for id, f := range r.containers {
		if id == "no-password" || id == "nobody-serves" {
			continue
		}
		r.until(id, "installed", installed)
		if failed := strings.Contains(strings.Join(r.events(id), " "), "PullFailed"); failed != (f.want != "") {
			r.t.Errorf("%s: events %v", id, r.events(id))
		}
	}
}

// paced checks how often the registry was asked: a pull at a time, and the next one half a minute later.
func (r *registries) paced() {
	r.t.Helper()
	for id, f := range r.containers {
		asked, pulls := f.Requests(f.repository), 1
		for i := range asked {
			if i == 0 {
				continue
			}
			gap := asked[i].At.Sub(asked[i-1].At)
			if gap >= 25*time.Second {
				pulls++
			} else if gap > stall+10*time.Second {
				r.t.Errorf("%s: a pull %s after another one", id, gap)
			}
		}
		if len(asked) > 20*pulls || pulls > 2 || f.want == "" && pulls > 1 {
			r.t.Errorf("%s: %d pulls with %d requests", id, pulls, len(asked))
		}
	}
	once := r.containers["cut-once"]
	var bytes int64
	resumed := false
	for _, request := range once.Requests(once.repository) {
		bytes, resumed = bytes+request.Bytes, resumed || request.Partial
	}
	if !resumed || bytes > 110_000 {
		r.t.Errorf("a layer of 100 kB that was cut once was sent with %d bytes, in part: %t", bytes, resumed)
	}
	if asked := r.mirror.Requests("faulty/mirrored"); len(asked) == 0 || asked[0].Authorized {
		r.t.Errorf("the mirror got %+v", asked)
	}
}

// secret checks that no password and no answer of a registry is where it must not be.
func (r *registries) secret() {
	r.t.Helper()
	for _, request := range append(r.elsewhere.Requests("faulty/other-host"), r.anonymous.Requests("faulty/no-password")...) {
		if request.Authorized {
			r.t.Errorf("%+v has the password of another registry", request)
		}
	}
	read := map[string]string{"the log": r.log.String()}
	for _, path := range []string{"/containers", "/events?limit=1000", "/drift", "/readyz", "/metrics"} {
		read[path] = r.send("GET", path, "").text
	}
	for id := range r.containers {
		read[id] = r.send("GET", "/containers/"+id, "").text + r.send("GET", "/containers/"+id+"/events", "").text
	}
	for what, text := range read {
		if strings.Contains(text, faultyregistry.Password) || strings.Contains(text, faultyregistry.Auth) {
			r.t.Errorf("%s has the password of the registry", what)
		}
		if what != "the log" && strings.Contains(text, marker) {
			r.t.Errorf("%s has what a registry answered", what)
		}
	}
}

// TestPullsAreFewAndShared: containers that need one image have it pulled once, and no more than three pulls are
// under way.
func TestPullsAreFewAndShared(t *testing.T) {
	t.Parallel()
	r := faultyregistry.Start(t)
	p, docker := r.Proxy(faultyregistry.Options{Open: true}), newDocker(t)
	n := newNode(t, "--config", settingsFile(t, fmt.Sprintf("images: {allowed: [%q, \"*\"]}\n", p.Address)))
	volume, _ := n.volume()
	images := map[string]string{}
	for i := range 10 {
		images[fmt.Sprint("pulls-same-", i)] = "few/same"
		images[fmt.Sprint("pulls-own-", i)] = fmt.Sprint("few/own-", i)
	}
	layers := map[string]int{}
	for _, repository := range images {
		if _, pushed := layers[repository]; pushed {
			continue
		}
		layers[repository] = len(r.Push(repository, 1<<10, 2<<10).Layers)
		p.Break(repository, faultyregistry.Delay(300*time.Millisecond).Of(faultyregistry.Layer))
		t.Cleanup(func() {
			ctx, cancel := docker.bounded()
			defer cancel()
			_, _ = docker.ImageRemove(ctx, p.Address+"/"+repository+":1", image.RemoveOptions{Force: true})
		})
	}
	for id, repository := range images {
		n.send("POST", "/containers", spec(id, volume, fmt.Sprintf(`"image":"%s/%s:1"`, p.Address, repository))).want(201, "")
	}
	for id := range images {
		n.until(id, "installed", installed)
	}
	for repository, count := range layers {
		asked := map[faultyregistry.Kind]int{}
		for _, request := range p.Requests(repository) {
			asked[request.Kind]++
		}
		if asked[faultyregistry.Layer] != count {
			t.Errorf("%s has %d layers, and was asked for %v", repository, count, asked)
		}
	}
	if most := p.MostAtOnce(); most < 2 || most > 3 {
		t.Errorf("%d pulls at once", most)
	}
}
