package main

import (
	"strings"
	"testing"

	"lightd/hack/simengine"
)

// TestRequestsOfLightdV2 sends what the documentation of the first Lightd v2 has, as it stands there, but
// for the ids. What stays different says why.
func TestRequestsOfLightdV2(t *testing.T) {
	t.Parallel()
	sim, n := onSim(t)
	sim.AddImage("ubuntu:22.04", simengine.ImageConfig{})
	sim.OnImage("ubuntu:22.04", game)
	const vendor = "Accept: Application/vnd.pkglatv1+json"
	volume := n.send("POST", "/volumes", "", vendor).want(201, `"path":"/`).json["volume_id"].(string)
	for _, r := range []struct {
		request, body string
		status        int
		want          []string
	}{
		{"GET /api/v1/public/ping", "", 200, []string{`"status":"ok"`}},
		{"POST /auth/tokens", `{"ttl":"1h","remove_on_use":false}`, 201, []string{`"token":"lightd_`, `"expires_at":"20`}},
		{"POST /auth/tokens", `{"ttl":"7d","remove_on_use":true}`, 201, []string{`"token":"lightd_`}},
		{"GET /volumes", "", 200, []string{`"volumes":[`}},

		{"POST /network/ports", `{"ip":"0.0.0.0","port":25565,"protocol":"tcp"}`, 201, []string{`"message":"Port added to pool"`, `"protocol":"tcp"`}},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":25565,"protocol":"tcp"}`, 409, []string{`"error":"Port already exists in pool"`}},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":25566}`, 201, []string{`"protocol":"tcp"`}},
		{"GET /network/ports/0.0.0.0/25565", "", 200, []string{`"in_use":false`}},
		{"GET /network/ports/0.0.0.0/1", "", 404, []string{`"error":"Port not found in pool"`}},
		{"GET /network/ports", "", 200, []string{`{"ports":[{"ip":"0.0.0.0","port":25565,"protocol":"tcp","in_use":false`}},
		{"GET /network/ports/random", "", 200, []string{`"in_use":false`}},
		{"PUT /network/ports/0.0.0.0/25566/use", `{"in_use":true}`, 200, []string{`"message":"Port usage updated"`, `"in_use":true`}},
		{"PUT /network/ports/0.0.0.0/25566/use", `{"in_use":false}`, 200, nil},

		{"POST /containers", `{"internal_id":"my-server-001","image":"ubuntu:22.04","volume_id":"VOLUME","startup_command":"bash -c \"while true; do echo Hello; sleep 1; done\"",
		  "start_pattern":"Hello","ports":[{"ip":"0.0.0.0","port":25565,"protocol":"tcp"}],"limits":{"memory":536870912,"cpu":1.0},"mount":{},
		  "install_script":"#!/bin/bash\napt-get update\napt-get install -y curl"}`, 201,
			[]string{`"message":"Container creation started"`, `"internal_id":"my-server-001"`, `"state":"installing"`}},
		{"GET /containers/my-server-001", "", 200, []string{`"install_state":"`, `"created_at":`, `"updated_at":`, `"mount":{}`, `"ports":[{"ip":"0.0.0.0","port":25565`}},
		{"GET /containers", "", 200, []string{`{"containers":[{"`, `"install_state":"`}},
		{"POST /containers/my-server-001/start", "", 200, []string{`"message":"Container start initiated"`}},
		{"POST /containers/my-server-001/kill", "", 200, []string{`"message":"Container kill initiated"`}},
		{"POST /containers/my-server-001/restart", "", 200, []string{`"message":"Container restart initiated"`}},
		{"POST /containers/my-server-001/stop", "", 200, []string{`"message":"Container stop initiated"`}},
		{"POST /containers/my-server-001/reinstall", `{"image":"ubuntu:22.04","install_script":"#!/bin/bash\napt-get update"}`, 200, []string{`"message":"Container reinstall started"`}},
		{"POST /containers/my-server-001/rebind-network", `{"ports":[{"ip":"0.0.0.0","port":25566,"protocol":"tcp"}]}`, 200, []string{`"message":"Network rebinding started"`}},
		{"DELETE /containers/my-server-001", "", 200, []string{`"message":"Container deleted successfully"`}},
		{"GET /containers/my-server-001", "", 404, []string{`"error":"Container not found"`}},
		{"POST /containers", `{"internal_id":"test-app","volume_id":"VOLUME","startup_command":"node server.js","image":"ubuntu:22.04","start_pattern":"listening","ports":[{"container_port":3000,"protocol":"tcp"}]}`, 201, nil},
		{"GET /containers/test-app", "", 200, []string{`"port":25565`, `"container_port":3000`}},
		{"DELETE /containers/test-app", "", 200, nil},

		{"DELETE /network/ports/0.0.0.0/25565", "", 200, []string{`"message":"Port deleted from pool"`}},
		{"POST /network/ports", `{"ip":"0.0.0.0","port":25565}`, 201, nil},
		{"POST /network/ports/bulk-delete", `{"ports":[{"ip":"0.0.0.0","port":25565},{"ip":"0.0.0.0","port":25566}]}`, 200, []string{`"message":"Deleted 2 ports from pool"`, `"deleted_count":2`}},
		{"GET /network/ports/random", "", 404, []string{`"error":"No available ports in pool"`}},

		// Files: one route with ops, and the bytes of a file as they are. What takes long is a job.
		{"GET /volumes/VOLUME/files", "", 200, []string{`"files":[`}},
		{"GET /volumes/VOLUME/files?path=plugins", "", 404, []string{`"error":"File not found"`}},
		{"POST /volumes/VOLUME/files", `{"path":"config/server.properties","content":"server-port=25565"}`, 400, []string{"content"}},
		{"PUT /volumes/VOLUME/files?path=server.properties", "server-port=25565", 201, []string{`"size":17`}},
		{"POST /volumes/VOLUME/folders", `{"path":"plugins/MyPlugin"}`, 404, nil},
		{"POST /volumes/VOLUME/files", `{"op":"mkdir","path":"plugins/MyPlugin","parents":true}`, 201, []string{`"type":"directory"`}},
		{"POST /volumes/VOLUME/copy", `{"source":"plugins/MyPlugin","destination":"backup"}`, 404, nil},
		{"POST /volumes/VOLUME/files", `{"op":"copy","from":"plugins/MyPlugin","to":"backup"}`, 202, []string{`"op":"copy"`}},
		{"POST /volumes/VOLUME/compress", `{"format":"tar.gz","output_name":"backup"}`, 404, nil},
		{"POST /volumes/VOLUME/files", `{"op":"compress","paths":["plugins"],"to":"backup.tar.gz"}`, 202, []string{`"op":"compress"`}},
		{"POST /volumes/VOLUME/decompress", `{"archive_path":"backup.tar.gz","destination":"restored"}`, 404, nil},
		{"PUT /volumes/VOLUME", `{"quota_bytes":2147483648}`, 200, []string{`"quota_bytes":2147483648`}},

		// The limits of a container are part of its spec.
		{"GET /containers/test-app/resources", "", 404, nil},
		// The files of its configuration are the operator's, and events go to webhooks.
		{"GET /remote/config", "", 404, nil},
		{"POST /remote/config/reload", "", 404, nil},
		// What a container may reach is the operator's, and prices are the panel's.
		{"POST /firewall/networks/test-app", "", 404, nil},
		{"POST /firewall/rules", `{"container_id":"test-app","protocol":"all","action":"drop"}`, 404, nil},
		{"GET /billing/rates", "", 404, nil},
		{"POST /containers/test-app/sftp/credentials", `{}`, 404, nil},
	} {
		method, path, _ := strings.Cut(r.request, " ")
		answer := n.send(method, strings.ReplaceAll(path, "VOLUME", volume), strings.ReplaceAll(r.body, "VOLUME", volume), vendor)
		if answer.status != r.status {
			t.Errorf("%s: %d %s", r.request, answer.status, answer.text)
		}
		for _, want := range r.want {
			if !strings.Contains(answer.text, want) {
				t.Errorf("%s: %s is not in %s", r.request, want, answer.text)
			}
		}
		if r.status == 200 && strings.HasPrefix(r.request, "POST /containers/") {
			n.until("my-server-001", "dealt with", func(v view) bool { return v.ObservedGeneration == v.Generation })
		}
	}
}
